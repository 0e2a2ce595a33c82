"""Checkpoints: a training that was interrupted ends in the very weights of one that was not."""

import contextlib
import copy
import errno
import gc
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import firstlight as fl
from firstlight.data.dataset import Dataset
from firstlight.data.preprocess import prepare_pictures
from firstlight.run import (
    BatchesInside,
    CannotResume,
    CheckpointDamaged,
    CheckpointDiffers,
    Checkpoints,
    NotACheckpointing,
    RecordDamaged,
    RecordNotSaved,
    RecordTooNew,
    Run,
    RunGoesOn,
    StateNotFound,
    TrainingStopped,
    checkpoint,
    record,
    runs_folder,
    state,
)
from firstlight.run.found import newest
from firstlight.run.listing import checkpoints_in

ALWAYS = Checkpoints(seconds=1e-9, steps=1)
Optimize = Callable[[nn.Module], torch.optim.Optimizer]
Schedule = Callable[[torch.optim.Optimizer], LRScheduler]


class Killed(BaseException):
    """As if the process had ended here: nothing after it runs, not even the end of the record."""


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path / "runs"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work is slower in two, most of all beside a thread that writes
    yield
    for run in list(record._running.values()):  # those whose loop was left by an error
        run.finish("stopped")
    torch.set_num_threads(threads)


def pictures(count: int = 60) -> Dataset:
    maker = torch.Generator().manual_seed(1)
    inputs = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=maker)
    labels = torch.arange(count) % 3
    return Dataset(inputs, labels, ["a", "b", "c"], name="small", preprocess=prepare_pictures(inputs))


def net() -> nn.Module:
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3)]
    return nn.Sequential(*layers)


class Loop:
    """A plain loop, run in this process as often as wanted; each time everything is made anew, as in a new process."""

    def __init__(
        self,
        optimize: Optimize = lambda model: torch.optim.AdamW(model.parameters(), lr=0.01),
        schedule: Schedule | None = None,
        data: str = "ours",
        noise: bool = False,
        accumulate: int = 1,
    ) -> None:
        self.optimize, self.schedule, self.data, self.noise = optimize, schedule, data, noise
        self.accumulate = accumulate
        self.done: list[tuple[int, int]] = []
        self.steps = 0

    def run(self, *, resume: bool = True, die_at: int | None = None, pace: Checkpoints | bool = ALWAYS) -> Tensor:
        torch.manual_seed(7)
        np.random.seed(7)
        random.seed(7)
        model, dataset = net(), pictures()
        optimizer = self.optimize(model)
        schedule = self.schedule(optimizer) if self.schedule else None
        own = np.random.default_rng(3)
        tensors = TensorDataset(dataset[:][0], dataset.labels)
        loader: Any = dataset
        if self.data == "loader":
            loader = DataLoader(tensors, 8, shuffle=True)
        elif self.data == "generator":
            loader = DataLoader(tensors, 8, shuffle=True, generator=torch.Generator().manual_seed(5))
        elif self.data == "sampler":
            sampler = RandomSampler(tensors, generator=torch.Generator().manual_seed(5), replacement=True)
            loader = DataLoader(tensors, 8, sampler=sampler, drop_last=True)
        run = fl.watch(model, optimizer, own, name="loop", resume=resume, checkpoint=pace, looks=False)
        steps = 0
        for epoch in run.epochs(3):
            model.train()
            given = (8,) if self.data == "ours" else ()
            options = {"shuffle": True, "augment": "flip+shift"} if self.data == "ours" else {}
            batches = run.batches(loader, *given, **options)
            for images, labels in batches:
                if self.noise:
                    images = images + float(own.random()) * random.random() * float(np.random.rand())
                loss = F.cross_entropy(model(images), labels) / self.accumulate
                loss.backward()
                if batches.index % self.accumulate == self.accumulate - 1:
                    optimizer.step()
                    if steps == die_at:
                        self._die(run)
                    steps += 1
                    optimizer.zero_grad()
                    if schedule is not None:
                        schedule.step()
                self.done.append((epoch, batches.index))
            model.eval()
            run.log({"val/loss": float(epoch)}, step=run.steps - 1)
        run.finish()
        self.steps = steps
        return torch.cat([value.flatten().double() for value in model.state_dict().values()])

    def _die(self, run: Run) -> None:
        """The nearest thing to SIGKILL that a test can do to itself; `benchmarks/reliability/kills.py` kills."""
        folder = run.folder
        assert folder is not None
        assert run.course is not None
        assert run.course.keeper is not None
        run.course.keeper.close()
        run.flush()
        copied = folder.with_name("copy")
        shutil.copytree(folder, copied)
        run.finish()
        shutil.rmtree(folder)
        copied.rename(folder)
        raise Killed

    def after_dying_at(self, *steps: int) -> Tensor:
        for step in steps:
            with contextlib.suppress(Killed):
                self.run(die_at=step)
        return self.run()


def momentum(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def warm_then_steps(optimizer: torch.optim.Optimizer) -> LRScheduler:
    return SequentialLR(optimizer, [StepLR(optimizer, 2), MultiStepLR(optimizer, [4, 9])], milestones=[3])


LOOPS = {
    "ours": Loop(),
    "momentum and one cycle": Loop(momentum, lambda one: OneCycleLR(one, 0.1, total_steps=30)),
    "schedules in a row": Loop(schedule=warm_then_steps),
    "a loader": Loop(data="loader"),
    "a loader with a generator": Loop(data="generator", noise=True),
    "a sampler with a generator": Loop(data="sampler"),
    "own noise": Loop(noise=True),
    "accumulated gradients": Loop(accumulate=3),
}


@pytest.mark.parametrize("name", LOOPS)
def test_an_interrupted_loop_ends_in_the_same_weights(name: str) -> None:
    loop = LOOPS[name]
    whole = loop.run(resume=False)
    most = loop.steps
    for moments in [(0,), (most // 2,), (most // 4, most // 4), (most - 2,)]:
        loop.done.clear()
        assert torch.equal(loop.after_dying_at(*moments), whole), moments
        again = len(loop.done) - len(set(loop.done))
        assert again < 2 * loop.accumulate * len(moments)  # it went on where it was, and did not begin anew


def test_a_loop_that_is_only_checkpointed_trains_the_same() -> None:
    loop = Loop(noise=True, schedule=lambda one: StepLR(one, 5))
    assert torch.equal(loop.run(pace=ALWAYS), loop.run(pace=False))


def test_the_record_goes_on_without_a_seam() -> None:
    loop = Loop()
    loop.run(resume=False)
    names = ("train/loss", "val/loss", "lr")
    whole = fl.runs()[0].open()
    before, plan = [[point[:2] for point in whole.metric(name)] for name in names], whole.plan
    shutil.rmtree(runs_folder())
    loop.after_dying_at(13)
    (listed,) = fl.runs()
    found = listed.open()
    assert [[point[:2] for point in found.metric(name)] for name in names] == before
    assert [fact.data["epoch"] for fact in found.facts("epoch")] == [0, 1, 2]
    assert found.status == "finished"
    assert found.plan == plan


def test_a_finished_run_is_not_gone_on_with() -> None:
    loop = Loop()
    loop.run()
    loop.run()
    assert len(fl.runs()) == 2
    assert len(loop.done) == 48


def test_epochs_and_batches_without_an_interruption_are_what_they_say() -> None:
    run = Run()
    seen = [(epoch, batch) for epoch in run.epochs(2) for batch in run.batches(range(3))]
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert run.plan.total_epochs == 2
    assert len(run.batches(range(3))) == 3


def test_a_pass_inside_a_pass_is_refused() -> None:
    run = Run()
    with pytest.raises(BatchesInside, match=r"test\.batches"):  # noqa: PT012 - the loop is what raises
        for _batch in run.batches(range(3)):
            list(run.batches(range(2)))
    assert list(run.batches(range(2))) == [0, 1]


def test_a_stop_is_kept_to_the_step_and_goes_on_there() -> None:
    whole = Loop().run(resume=False)
    torch.manual_seed(7)
    model, dataset = net(), pictures()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    run = fl.watch(model, optimizer, np.random.default_rng(3), name="loop", checkpoint=1000, looks=False)
    with pytest.raises(TrainingStopped):  # noqa: PT012 - the loop is what raises
        for _epoch in run.epochs(3):
            for images, labels in run.batches(dataset, 8, shuffle=True, augment="flip+shift"):
                F.cross_entropy(model(images), labels).backward()
                optimizer.step()
                optimizer.zero_grad()
                if run.steps == 10:
                    run.request_stop()
    run.finish("stopped")
    loop = Loop()
    assert torch.equal(loop.run(), whole)
    assert loop.done[0] == (1, 2)


# Loops of other forms. Each trains until it dies at a step, if it is told to.


def kill_here(run: Run) -> None:
    Loop()._die(run)


def seeded(count: int, seed: int) -> Any:
    data = TensorDataset(torch.arange(count * 4.0).reshape(count, 4) / 100, torch.arange(count) % 2)
    return DataLoader(data, 4, shuffle=True, generator=torch.Generator().manual_seed(seed))


class Body:
    """What the loops below share."""

    def __init__(self, die_at: int | None) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.die_at, self.steps = die_at, 0
        self.run = fl.watch(self.model, self.optimizer, name="body", resume=True, checkpoint=ALWAYS, looks=False)

    def step(self, x: Tensor, y: Tensor, accumulate: bool = False) -> None:
        F.cross_entropy(self.model(x), y).backward()
        if accumulate:
            return
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1
        if self.steps == self.die_at:
            kill_here(self.run)


def schedule_at_the_head(body: Body) -> None:
    schedule, loader = StepLR(body.optimizer, 1, 0.5), seeded(16, 3)
    for epoch in body.run.epochs(3):
        if epoch:
            schedule.step()
        for x, y in body.run.batches(loader):
            body.step(x, y)


def two_passes(body: Body) -> None:
    first, second, schedule = seeded(16, 3), seeded(12, 4), StepLR(body.optimizer, 1, 0.5)
    for _epoch in body.run.epochs(3):
        for x, y in body.run.batches(first):
            body.step(x, y)
        schedule.step()
        for x, y in body.run.batches(second):
            body.step(x, y)


def two_loops(body: Body) -> None:
    loader = seeded(16, 3)
    for _epoch in body.run.epochs(1):
        for x, y in body.run.batches(loader):
            body.step(x, y)
    with torch.no_grad():
        body.model[2].weight.mul_(0.5)
    for _epoch in body.run.epochs(2):
        for x, y in body.run.batches(loader):
            body.step(x, y)


def cleared_at_the_head(body: Body) -> None:
    for _epoch in body.run.epochs(2):
        body.optimizer.zero_grad()
        batches = body.run.batches(seeded(24, 3))
        for x, y in batches:
            body.step(x, y, accumulate=batches.index % 2 == 0)


@pytest.mark.parametrize("loop", [schedule_at_the_head, two_passes, two_loops, cleared_at_the_head])
def test_what_stands_around_the_passes_makes_no_difference(loop: Callable[[Body], None]) -> None:
    def train(die_at: int | None = None) -> list[Tensor]:
        body = Body(die_at)
        loop(body)
        body.run.finish()
        return [weight.detach().clone() for weight in body.model.parameters()]

    whole = train()
    shutil.rmtree(runs_folder())
    for moments in [(2,), (4,), (5,), (3, 2)]:
        for die_at in moments:
            with contextlib.suppress(Killed):
                train(die_at)
        for weight, wanted in zip(train(), whole, strict=True):
            assert torch.equal(weight, wanted), moments
        shutil.rmtree(runs_folder())


def test_more_epochs_go_on_from_the_end() -> None:
    def train(epochs: int, resume: Any) -> tuple[Run, nn.Module]:
        torch.manual_seed(1)
        model, loader = nn.Linear(4, 2), seeded(16, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = fl.watch(model, optimizer, name="more", resume=resume, checkpoint=ALWAYS, looks=False)
        for _epoch in run.epochs(epochs):
            for x, y in run.batches(loader):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
        run.finish()
        return run, model

    _run, whole = train(4, resume=False)
    half, _model = train(2, resume=False)
    again, model = train(4, resume=half.folder)
    assert torch.equal(model.weight, whole.weight)
    assert again.steps == 16
    assert [fact.data["epoch"] for fact in again.facts("epoch")] == [0, 1, 2, 3]


def test_a_cell_that_is_run_again_is_the_same_loop() -> None:
    body = Body(None)
    loader = seeded(16, 3)
    loop = body.run.epochs(2)  # a traceback keeps it
    next(loop)
    for x, y in body.run.batches(loader):
        body.step(x, y)
        break
    for _epoch in body.run.epochs(2):
        for x, y in body.run.batches(loader):
            body.step(x, y)
            break
        break
    body.run.course.keeper._wait_for_writer()  # type: ignore[union-attr]  # it has both
    assert body.run.folder is not None
    assert newest(body.run.folder).data["position"]["loop"] == 0
    del loop
    body.run.finish()


def test_masks_of_infinity_are_no_broken_weights() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2, 2), float("-inf")))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="mask", checkpoint=ALWAYS, looks=False)
    for batch in run.batches([torch.ones(1, 2)] * 2):
        model(batch).sum().backward()
        optimizer.step()
    run.finish()
    assert run.folder is not None
    assert checkpoints_in(run.folder)


def test_a_frozen_mask_of_infinity_is_no_broken_weight() -> None:
    model = nn.Linear(2, 2)
    model.register_parameter("mask", nn.Parameter(torch.full((2, 2), float("-inf")), requires_grad=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="frozen", checkpoint=ALWAYS, looks=False)
    for batch in run.batches([torch.ones(1, 2)] * 3):
        model(batch).sum().backward()
        optimizer.step()
    run.finish()
    assert run.folder is not None
    assert checkpoints_in(run.folder) == ["step-3"]


def test_a_run_on_another_machine_that_gives_signs_of_life_is_left_alone() -> None:
    folder = interrupted_loop()
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as file:
        for key, value in (("process", {"pid": 1, "host": "node7"}), ("heartbeat", time.time()), ("status", "running")):
            file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))
        file.commit()
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with pytest.raises(RunGoesOn, match="process 1 "):
        fl.watch(model, optimizer, np.random.default_rng(3), name="loop", resume=folder, looks=False)
    run = fl.watch(model, optimizer, np.random.default_rng(3), name="loop", resume=True, looks=False)
    assert run.folder != folder


def test_processes_that_train_together_cannot_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(CannotResume, match="2 processes"):
        fl.watch(nn.Linear(1, 1), resume=True)


def test_a_good_checkpoint_outlives_a_damaged_one_with_a_higher_number() -> None:
    folder = interrupted_loop()
    damaged = folder / "checkpoints" / f"{checkpoints_in(folder)[0]}.safetensors"
    damaged.write_bytes(b"")
    with contextlib.suppress(Killed), pytest.warns(CheckpointDamaged):
        Loop().run(die_at=0, pace=Checkpoints(seconds=1e-9, keep=1))
    assert newest(folder).step >= 8  # and no warning that another cannot be read


def damaged_above(folder: Path) -> None:
    """A checkpoint that was to be the next one, and is not whole."""
    for suffix in ("safetensors", "json"):
        (folder / "checkpoints" / f"step-12.{suffix}").write_bytes(b"cut off")


@pytest.mark.parametrize("pace", [False, 1000])
def test_the_end_of_a_run_drops_the_damaged_checkpoint_and_not_the_good_one(pace: bool | float) -> None:
    folder = interrupted_loop()
    damaged_above(folder)
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with pytest.warns(CheckpointDamaged, match="step-9 is taken"):
        run = fl.watch(model, optimizer, np.random.default_rng(3), name="loop", resume=True, checkpoint=pace)
    run.finish()
    assert checkpoints_in(folder) == ["step-9"]
    assert Run.open(folder).weights()


def test_a_disk_that_is_full_after_an_interruption_keeps_the_good_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = interrupted_loop()
    damaged_above(folder)
    tried: list[list[str]] = []

    def full(_folder: Path, *_args: Any) -> Path:
        tried.append(checkpoints_in(folder))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(state, "save", full)
    with pytest.warns((CheckpointDamaged, RecordNotSaved)) as told:
        Loop().run()
    assert "the last good checkpoint is step-9." in str(told[-1].message)
    assert tried[:3] == [
        ["step-12", "step-9", "step-8"],
        ["step-9", "step-8"],
        ["step-9"],
    ]  # the worst makes room first
    assert newest(folder).step == 9


# A bad record beside the one that is gone on with.


def bad_record(name: str, how: str) -> Path:
    """Of a run that is newer than all others."""
    run = Run.start(name)
    run.save_state("step-3", {}, {})
    run.finish("stopped")
    assert run.folder is not None
    folder = run.folder.rename(run.folder.with_name(f"29990101T000000.000Z-{name}"))
    if how == "cut off":
        (folder / "run.sqlite").write_bytes(b"")
        return folder
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as file:
        file.execute("PRAGMA user_version=99" if how == "newer" else "UPDATE meta SET value = '7' WHERE key = 'status'")
        file.commit()
    return folder


@pytest.mark.parametrize("how", ["cut off", "newer", "meta"])
def test_a_bad_record_of_another_name_stands_in_nobodys_way(how: str) -> None:
    folder = interrupted_loop()
    bad_record("other", how)
    found = checkpoint.interrupted("loop", True)
    assert found is not None
    assert (found.folder, found.step) == (folder, 9)
    assert checkpoint.interrupted("third", True) is None


@pytest.mark.parametrize("how", ["cut off", "newer", "meta"])
def test_a_bad_record_of_the_run_itself_is_said(how: str) -> None:
    interrupted_loop()
    bad = bad_record("loop", how)
    with pytest.raises(RecordTooNew if how == "newer" else RecordDamaged, match=bad.name):
        checkpoint.interrupted("loop", True)


def test_a_bad_record_whose_name_ends_in_a_number_is_another_one() -> None:
    folder = interrupted_loop()
    bad_record("loop-2", "cut off")
    found = checkpoint.interrupted("loop", True)
    assert found is not None
    assert found.folder == folder


def test_a_want_of_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = interrupted_loop()
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("[enforce fail] not enough memory")):

        def fail(_found: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("firstlight.run.found._check_parts", fail)
            with pytest.raises(type(error), match="memory"):
                newest(folder)
    assert newest(folder).step == 9


class Limited(torch.optim.SGD):
    """An optimizer of somebody's own, with a limit that is none."""

    def __init__(self, weights: Any) -> None:
        super().__init__(weights, lr=0.01)
        self.defaults["limit"] = math.inf
        for group in self.param_groups:
            group["limit"] = math.inf


def test_an_infinite_setting_of_an_optimizer_is_what_it_was() -> None:
    loop = Loop(optimize=lambda model: Limited(model.parameters()))
    with contextlib.suppress(Killed):
        loop.run(die_at=9)
    assert torch.equal(loop.run(), Loop(optimize=lambda model: Limited(model.parameters())).run(resume=False))


# Schedulers that nobody named.


class Scheduled:
    """Two schedulers on one optimizer, one stepped with each batch and one with each epoch."""

    def __init__(self, first: Schedule, second: Schedule, *, named: bool = False) -> None:
        self.first, self.second, self.named = first, second, named

    def run(self, *, die_at: int | None = None, sweep: bool = False) -> float:
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        each_batch = self.first(optimizer)
        if sweep:
            gc.collect()  # Python then lists the older one before the younger
        each_epoch = self.second(optimizer)
        more = [each_batch, each_epoch] if self.named else []
        run = fl.watch(model, optimizer, *more, name="scheduled", resume=True, checkpoint=ALWAYS, looks=False)
        steps = 0
        for _epoch in run.epochs(3):
            for batch in run.batches([torch.ones(1, 2)] * 4):
                model(batch).sum().backward()
                optimizer.step()
                each_batch.step()
                steps += 1
                if steps == die_at:
                    run.request_stop()
            each_epoch.step()
        run.finish()
        return float(optimizer.param_groups[0]["lr"])

    def after_a_stop(self) -> float:
        with contextlib.suppress(TrainingStopped):
            self.run(die_at=6, sweep=True)
        for run in list(record._running.values()):
            run.finish("stopped")
        return self.run()


def test_schedulers_of_one_class_are_told_apart_by_their_settings() -> None:
    for gammas in [(0.9, 0.5), (0.5, 0.9)]:
        loop = Scheduled(*(lambda one, gamma=gamma: ExponentialLR(one, gamma) for gamma in gammas))
        assert loop.after_a_stop() == loop.run() == pytest.approx(gammas[0] ** 12 * gammas[1] ** 3)


ALIKE = [
    pytest.param((lambda one: ExponentialLR(one, 0.9),) * 2, "ExponentialLR", id="the same settings"),
    pytest.param(tuple(lambda one, g=g: LambdaLR(one, lambda n: g**n) for g in (0.9, 0.5)), "LambdaLR", id="functions"),
]


@pytest.mark.parametrize(("schedules", "kind"), ALIKE)
def test_schedulers_that_are_alike_are_not_gone_on_with(schedules: tuple[Schedule, Schedule], kind: str) -> None:
    said = rf"{kind}: several of one kind .* hand them to firstlight\.watch"
    with pytest.warns(RuntimeWarning, match=said), pytest.raises(CheckpointDiffers, match=said):  # at once, and then
        Scheduled(*schedules).after_a_stop()
    with pytest.raises(CheckpointDiffers, match=said):  # which of the two it was then, nobody knows now either
        Scheduled(*schedules, named=True).run()


@pytest.mark.parametrize(("schedules", "kind"), ALIKE)
def test_schedulers_that_are_alike_go_on_where_they_are_named(schedules: tuple[Schedule, Schedule], kind: str) -> None:
    loop = Scheduled(*schedules, named=True)
    assert loop.after_a_stop() == loop.run(), kind


# What does not fit.


def interrupted_loop() -> Path:
    with contextlib.suppress(Killed):
        Loop().run(die_at=9)
    return next(runs_folder().iterdir())


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "sqlite-" not in path.name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3))}, r"models.weights.*nothing"),
        (
            {"optimize": lambda model: torch.optim.SGD(model.parameters(), lr=0.01)},
            "optimizers.type was AdamW and is SGD",
        ),
        ({"optimize": lambda model: torch.optim.AdamW(model.parameters(), lr=0.02)}, r"lr was 0.01 and is 0.02"),
        ({"size": 10}, r"data.size was 8 and is 10"),
        ({"dataset": lambda: pictures(59)}, r"data.samples was 60 and is 59"),
        ({"dataset": lambda: other_labels()}, r"data.content was"),
        ({"schedule": lambda one: StepLR(one, 3)}, r"others"),
        ({"version": "1.0.0"}, r"versions.torch was"),
    ],
)
def test_another_training_is_refused_and_the_checkpoint_left(
    change: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = interrupted_loop()
    before = content(folder)
    if "version" in change:
        monkeypatch.setattr(torch, "__version__", change["version"])
    model = change.get("model", net)()
    optimize = change.get("optimize", lambda model: torch.optim.AdamW(model.parameters(), lr=0.01))
    optimizer = optimize(model)
    schedule = change["schedule"](optimizer) if "schedule" in change else None
    with pytest.raises(CheckpointDiffers, match=said) as refused:  # noqa: PT012 - one of these lines, as it says
        run = fl.watch(model, optimizer, np.random.default_rng(3), name="loop", resume=True, looks=False)
        dataset = change.get("dataset", pictures)()
        for _epoch in run.epochs(3):
            next(iter(run.batches(dataset, change.get("size", 8), shuffle=True, augment="flip+shift")))
    assert str(folder) in str(refused.value)
    checkpoints = {name for name in before if name.startswith("step-")}
    assert checkpoints
    assert {name: content(folder)[name] for name in checkpoints} == {name: before[name] for name in checkpoints}
    if schedule is None and "size" not in change and "dataset" not in change:  # seen before anything was touched
        assert content(folder) == before


def other_labels() -> Dataset:
    dataset = pictures()
    dataset.labels = dataset.labels.flip(0)
    return dataset


def test_the_weights_alone_can_be_had_by_another_program() -> None:
    folder = interrupted_loop()
    model = net()
    model.load_state_dict(Run.open(folder).weights())
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in Run.open(folder).weights().items())
    with pytest.raises(StateNotFound):
        Run().weights()


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path) -> None:
    program = """
import sys, time, torch, firstlight as fl
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = fl.watch(model, optimizer, name="other", checkpoint=1e-9, looks=False)
while True:
    for images in run.batches([torch.ones(3, 2)] * 9):
        model(images).sum().backward(); optimizer.step()
    print(run.folder, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        while not checkpoints_in(folder):
            child.stdout.readline()
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with pytest.raises(RunGoesOn, match=str(child.pid)):
            fl.watch(model, optimizer, name="other", resume=folder, looks=False)
        run = fl.watch(model, optimizer, name="other", resume=True, looks=False)
        assert run.folder != folder
        run.finish()
    finally:
        child.kill()
        child.wait()
    assert child.stdout.close() is None


# A plain loop.


def plain(resume: bool | Path = False, steps: int = 30, **options: Any) -> tuple[nn.Module, Run]:
    torch.manual_seed(3)
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    run = fl.watch(model, optimizer, name="plain", resume=resume, looks=False, **options)
    for _epoch in range(steps // 6):
        for images, labels in pictures(48).batches(8):
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
    return model, run


def test_a_plain_loop_has_its_last_weights_kept_when_it_ends() -> None:
    model, run = plain()
    run.finish()
    assert run.folder is not None
    found = Run.open(run.folder).weights()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())
    assert checkpoints_in(run.folder) == ["step-30"]


def test_a_plain_loop_goes_on_with_weights_and_optimizer(capsys: pytest.CaptureFixture[str]) -> None:
    _model, run = plain()
    run.finish("stopped")
    assert run.folder is not None
    again, more = plain(resume=True, steps=0)
    assert more.folder == run.folder
    assert all(torch.equal(run.weights()[name], value) for name, value in again.state_dict().items())
    assert more.steps == 30
    assert list(more.epochs(2)) == [0, 1]
    assert "epochs are counted anew" in capsys.readouterr().out
    more.finish()


def test_weights_outside_of_models_are_kept_too() -> None:
    weight = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.5)
    run = fl.watch(None, optimizer, name="loose", looks=False)
    for _step in range(4):
        weight.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    run.finish("stopped")
    assert run.folder is not None
    assert torch.equal(Run.open(run.folder).weights()["0"], weight)
    other = torch.zeros(3, requires_grad=True)
    fl.watch(None, torch.optim.SGD([other], lr=0.5), name="loose", resume=True, looks=False).finish()
    assert torch.equal(other, weight)


# Pace and disk.


@pytest.mark.parametrize("wanted", [0, -1, "often", float("nan")])
def test_a_pace_that_is_none_is_refused(wanted: Any) -> None:
    with pytest.raises(NotACheckpointing, match=r"checkpoint="):
        fl.watch(nn.Linear(1, 1), checkpoint=wanted)


def test_no_checkpoint_where_none_is_wanted() -> None:
    _model, run = plain(checkpoint=False)
    run.finish()
    assert run.folder is not None
    assert not (run.folder / "checkpoints").exists()


def test_the_newest_ones_are_kept_and_of_a_finished_run_the_last() -> None:
    pace = Checkpoints(seconds=1000, steps=5, keep=3)
    with contextlib.suppress(Killed):
        Loop().run(pace=pace, die_at=22)
    folder = next(runs_folder().iterdir())
    assert checkpoints_in(folder) == ["step-20", "step-15", "step-10"]
    Loop().run(pace=pace)
    assert checkpoints_in(folder) == ["step-24"]


def test_what_costs_much_is_done_seldom() -> None:
    class Slow(nn.Linear):
        copied = 0

        def state_dict(self, *args: Any, **kwargs: Any) -> Any:
            Slow.copied += 1
            threading.Event().wait(0.02)
            return super().state_dict(*args, **kwargs)

    model = Slow(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="slow", checkpoint=1e-9, looks=False)
    for _batch in run.batches([torch.ones(1, 2)] * 3000):
        model(_batch).sum().backward()
        optimizer.step()
    before = Slow.copied
    run.finish()
    assert before <= 4  # twice for each checkpoint: its weights, and what they look like


def test_the_first_checkpoint_of_many_weights_waits_until_it_is_paid_for() -> None:
    made = []
    for width in (10, 3000):
        model = nn.Linear(width, width)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
        run = fl.watch(model, optimizer, name=f"wide-{width}", checkpoint=1e-9, looks=False)
        for batch in run.batches([torch.ones(1, width)] * 8):
            model(batch).sum().backward()
            optimizer.step()
            time.sleep(0.01)
        run.finish()
        assert run.folder is not None
        made.append(len(checkpoints_in(run.folder)))
    assert made == [1, 0], "of nine million weights, it waits for half a minute"


def test_weights_that_are_no_numbers_never_take_the_place_of_good_ones() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="broken", checkpoint=ALWAYS, looks=False)
    for index, batch in enumerate(run.batches([torch.ones(1, 2)] * 8)):
        (model(batch).sum() * (float("nan") if index == 4 else 1.0)).backward()
        optimizer.step()
    run.finish()
    assert run.folder is not None
    assert checkpoints_in(run.folder)[0] == "step-4"


def test_it_is_said_once_that_weights_are_no_numbers() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="broken", checkpoint=ALWAYS, looks=False)
    with pytest.warns(RuntimeWarning, match=r"nan or infinite, .* the last good one is step-4\.") as told:  # noqa: PT031 - at one of the steps
        for index, batch in enumerate(run.batches([torch.ones(1, 2)] * 8)):
            (model(batch).sum() * (float("nan") if index == 4 else 1.0)).backward()
            optimizer.step()
    run.finish()
    assert len(told) == 1


def test_a_newest_checkpoint_that_is_cut_off_gives_way_to_the_one_before() -> None:
    whole = Loop().run(resume=False)
    shutil.rmtree(runs_folder())
    folder = interrupted_loop()
    newest = folder / "checkpoints" / f"{checkpoints_in(folder)[0]}.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(CheckpointDamaged, match="step-8 is taken"):
        assert torch.equal(Loop().run(), whole)


def test_a_full_disk_keeps_the_old_checkpoints_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real full disk in `benchmarks/reliability/disk_full.py`."""
    save, full = state.save, threading.Event()

    def perhaps(folder: Path, *args: Any) -> Path:
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(folder, *args)

    monkeypatch.setattr(state, "save", perhaps)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="full", checkpoint=ALWAYS, looks=False)
    with pytest.warns(RecordNotSaved, match="No space left"):  # noqa: PT031 - at one of the steps
        for index, batch in enumerate(run.batches([torch.ones(1, 2)] * 8)):
            if index == 4:
                full.set()
            model(batch).sum().backward()
            optimizer.step()
        run.finish()
    assert run.folder is not None
    assert [name for name in checkpoints_in(run.folder) if int(name[5:]) <= 4]
    assert newest(run.folder).step <= 4


@pytest.mark.skipif(os.name == "nt", reason="a limit on files as on Unix")
def test_a_file_that_the_system_cuts_off_is_an_error_of_the_system_and_leaves_nothing(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as told:
            state.save(tmp_path, "wide", {"a": torch.zeros(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="modes of files as on Unix")
def test_others_may_read_a_checkpoint_where_they_may_read_files(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    path = state.save(tmp_path, "state", {"a": torch.zeros(1)}, {})
    assert path.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    left, tempfile_of_safetensors, writing = (tmp_path / name for name in (".a.1f.part", ".tmpT64KlG", ".b.2e.part"))
    for path in (left, tempfile_of_safetensors, writing):
        path.touch()
    for path in (left, tempfile_of_safetensors):
        os.utime(path, (1, 1))
    state.clean(tmp_path)
    assert list(tmp_path.iterdir()) == [writing]


def test_what_cannot_be_kept_is_said_once_and_training_goes_on() -> None:
    class Odd(nn.Linear):
        def get_extra_state(self) -> Any:
            return object()

        def set_extra_state(self, _state: Any) -> None: ...

    model = Odd(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="odd", checkpoint=ALWAYS, looks=False)
    with pytest.warns(RuntimeWarning, match="_extra_state holds a value of type object"):  # noqa: PT031 - as above
        for batch in run.batches([torch.ones(1, 2)] * 3):
            model(batch).sum().backward()
            optimizer.step()
    run.finish()
    assert run.steps == 3


def test_a_checkpoint_is_readable_by_people_and_holds_no_code() -> None:
    folder = interrupted_loop()
    name = checkpoints_in(folder)[0]
    told = json.loads((folder / "checkpoints" / f"{name}.json").read_text(encoding="utf-8"))
    assert told["step"] == 9
    assert told["fits"]["optimizers"][0]["type"] == "AdamW"
    assert not list((folder / "checkpoints").glob("*.pt"))


# fit.


def fitted(folder_of_model: nn.Module | None = None, **options: Any) -> tuple[nn.Module, Run]:
    torch.manual_seed(11)
    model = net() if folder_of_model is None else folder_of_model
    wanted: dict[str, Any] = {"epochs": 4, "batch_size": 8, "seed": 2, "name": "fitted", "device": "cpu"} | options
    return model, fl.fit(model, pictures(), pictures(30), augment="flip", **wanted)


def test_of_a_fit_that_went_to_its_end_the_last_checkpoint_is_kept() -> None:
    _model, run = fitted(checkpoint=ALWAYS)
    assert run.folder is not None
    assert checkpoints_in(run.folder) == ["step-32"]


def test_a_checkpoint_that_cannot_be_removed_spoils_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, **options: bool) -> None:
        if path.name.startswith("step-"):
            raise PermissionError(errno.EACCES, "it is open elsewhere", str(path))
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    _model, run = fitted(checkpoint=ALWAYS)
    assert run.status == "finished"
    assert run.folder is not None
    assert "step-32" in checkpoints_in(run.folder)


def test_an_interrupted_fit_ends_in_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, before = fitted()
    make, copied = checkpoint.Keeper.make, runs_folder() / "copy"
    for moment in (1, 9, 20, 31):

        def die(self: checkpoint.Keeper, position: Any, *, complete: bool = False, at: int = moment) -> None:
            make(self, position, complete=complete)
            if self.parts.steps == at and self.run.folder is not None:
                self._wait_for_writer()
                self.run.flush()
                shutil.copytree(self.run.folder, copied)
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Keeper, "make", die)
            with pytest.raises(Killed):
                fitted(checkpoint=ALWAYS)
        left = fl.runs().sort("started")[0].folder
        left = left if left != copied else fl.runs()[1].folder
        shutil.rmtree(left)
        copied.rename(left)
        again, run = fitted(resume=True)
        assert run.folder == left
        for name, value in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), (moment, name)
        assert [point[:2] for point in run.metric("test/loss")] == [point[:2] for point in before.metric("test/loss")]
        assert run.info["best_epoch"] == before.info["best_epoch"]
        assert run.status == "finished"


def test_a_fit_with_other_options_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(run: Run) -> None:
        run.request_stop()

    from firstlight.run import audience

    monkeypatch.setattr("firstlight.run.record.audience", [*audience, stop])
    _model, run = fitted()
    assert run.status == "stopped"
    monkeypatch.undo()
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(run.folder.parent if run.folder else ""))
    with pytest.raises(CheckpointDiffers, match="epochs was 4 and is 5"):
        fitted(resume=True, epochs=5)
    with pytest.raises(CheckpointDiffers, match="kind was fit and is loop"):
        plain_named_fitted()
    _model, again = fitted(resume=True)
    assert again.status == "finished"


def test_fit_does_not_go_on_with_a_loop() -> None:
    _model, run = plain()
    run.finish("stopped")
    with pytest.raises(CheckpointDiffers, match="kind was loop and is fit"):
        fitted(resume=run.folder)


def plain_named_fitted() -> None:
    model = net()
    fl.watch(model, torch.optim.AdamW(model.parameters()), name="fitted", resume=True, looks=False)


def test_copies_of_the_model_share_nothing_with_a_checkpoint() -> None:
    model = net()
    twin = copy.deepcopy(model)
    parts = checkpoint.Parts([model], [], counts=lambda: [0])
    tensors, _data = parts.copy(None)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    for name, value in twin.state_dict().items():
        assert torch.equal(tensors[f"models.0.state.{name}"], value)


# Going on without a change to the code.


def test_the_next_training_of_that_name_can_be_told_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    _model, run = plain()
    run.finish("stopped")
    assert run.folder is not None
    fl.resume(run.folder)
    assert "step 30" in capsys.readouterr().out
    again, more = plain(steps=0)
    assert more.folder == run.folder
    assert all(torch.equal(run.weights()[name], value) for name, value in again.state_dict().items())
    more.finish()
    _third, new = plain(steps=0)
    assert new.folder != run.folder  # once
    new.finish()


def test_a_run_without_a_checkpoint_cannot_be_gone_on_with() -> None:
    _model, run = plain(checkpoint=False)
    run.finish()
    assert run.folder is not None
    with pytest.raises(StateNotFound):
        fl.resume(run.folder)
