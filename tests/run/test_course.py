"""Where a loop is in its data: sources that draw from generators of their own, and passes that were begun early."""

import contextlib
import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Subset, TensorDataset

import firstlight as fl
from firstlight.run import CheckpointDiffers, Checkpoints, Run, record, runs_folder, state

ALWAYS = Checkpoints(seconds=1e-9, steps=1)
Data = TensorDataset(torch.arange(64.0).reshape(16, 4) / 64, torch.arange(16) % 2)


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path / "runs"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    for run in list(record._running.values()):  # those whose loop was left by an error
        run.finish("stopped")
    torch.set_num_threads(threads)


class Buckets(BatchSampler):
    """Batches of neighbours in a random order, from a generator of its own under any name."""

    def __init__(self, name: str, generator: Any) -> None:
        super().__init__(range(16), 4, drop_last=False)
        setattr(self, name, generator)
        self._draw = lambda: np.random.default_rng(int(_number(generator))).permutation(4).tolist()

    def __iter__(self) -> Iterator[list[int]]:
        for first in self._draw():
            yield [4 * first + one for one in range(4)]


class Noisy(TensorDataset):
    """A dataset that draws from a generator of its own for each sample."""

    def __init__(self) -> None:
        super().__init__(*Data.tensors)
        self.generator = torch.Generator().manual_seed(5)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        x, y = super().__getitem__(index)
        return x + torch.rand(4, generator=self.generator), y


def _number(generator: Any) -> float:
    if isinstance(generator, torch.Generator):
        return float(torch.randint(1000, (), generator=generator))
    return float(generator.integers(1000))


def buckets() -> Any:
    return DataLoader(Data, batch_sampler=Buckets("generator", torch.Generator().manual_seed(5)))


def buckets_of_numpy() -> Any:
    return DataLoader(Data, batch_sampler=Buckets("rng", np.random.default_rng(5)))


def noisy() -> Any:
    return DataLoader(Noisy(), 4)


def noisy_part() -> Any:
    return DataLoader(Subset(Noisy(), range(12)), 4)


class Loop:
    """One program, run as often as wanted, each time made anew as in a new process."""

    def __init__(self, passes: Callable[[Run], Iterator[Any]], *, epochs: bool = True) -> None:
        self._passes, self._epochs = passes, epochs

    def run(self, die_at: int | None = None) -> Tensor:
        torch.manual_seed(7)
        model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run = fl.watch(model, optimizer, name="course", resume=True, checkpoint=ALWAYS, looks=False)
        steps = 0
        for _epoch in run.epochs(3) if self._epochs else range(3):
            for x, y in self._passes(run):
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                optimizer.zero_grad()
                steps += 1
                if steps == die_at:
                    assert run.course is not None
                    assert run.course.keeper is not None
                    run.course.keeper.close()
                    run.finish("stopped")
                    raise Killed
        run.finish()
        return torch.cat([weight.detach().flatten().clone() for weight in model.parameters()])

    def after_dying_at(self, *steps: int) -> Tensor:
        for step in steps:
            with contextlib.suppress(Killed):
                self.run(die_at=step)
        return self.run()


@pytest.mark.parametrize("make", [buckets, buckets_of_numpy, noisy, noisy_part])
def test_generators_of_batch_samplers_and_datasets_are_put_back(make: Callable[[], Any]) -> None:
    loaders = weakref.WeakKeyDictionary[Run, Any]()

    def passes(run: Run) -> Iterator[Any]:
        if run not in loaders:
            loaders[run] = make()
        return iter(run.batches(loaders[run]))

    loop = Loop(passes)
    whole = loop.run()
    for moments in [(5,), (6, 3)]:
        shutil.rmtree(runs_folder())
        assert torch.equal(loop.after_dying_at(*moments), whole), moments


def test_a_generator_that_several_passes_share_is_put_back_once() -> None:
    shared = weakref.WeakKeyDictionary[Run, Any]()

    def passes(run: Run) -> Iterator[Any]:
        rows = shared.setdefault(run, Noisy())
        for first in (0, 4, 10):
            yield from run.batches(DataLoader(Subset(rows, range(first, first + 6)), 2))

    whole = Loop(passes).run()
    shutil.rmtree(runs_folder())
    for step in (11, 14):  # in the second epoch, in which it is known which passes there are
        assert torch.equal(Loop(passes).after_dying_at(step), whole), step
        shutil.rmtree(runs_folder())


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("form", ["one pass", "two passes", "no epochs"])
def test_a_zip_of_loaders_goes_on_with_the_same_batches(workers: int, form: str) -> None:
    def zipped() -> Any:  # begins both at once, and workers take their first batches before anybody asks
        options: dict[str, Any] = {"num_workers": workers, "shuffle": True}
        return zip(DataLoader(Data, 4, **options), DataLoader(Data, 4, **options), strict=True)

    def passes(run: Run) -> Iterator[Any]:
        for _pass in range(2 if form == "two passes" else 1):
            for (x, y), (a, _b) in run.batches(zipped()):
                yield (x + a) / 2, y

    loop = Loop(passes, epochs=form != "no epochs")
    whole = loop.run()
    for moments in [(6,), (3, 4)]:
        shutil.rmtree(runs_folder())
        assert torch.equal(loop.after_dying_at(*moments), whole), moments


def test_a_plain_loop_that_goes_on_keeps_no_second_copy_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain() -> Run:
        model = nn.Linear(4, 2)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        run = fl.watch(model, optimizer, name="plain", resume=True, checkpoint=ALWAYS, looks=False)
        for x, y in DataLoader(Data, 4):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        return run

    plain().finish("stopped")
    load, read = state.load, list[weakref.ref[Tensor]]()

    def noted(*args: Any) -> tuple[dict[str, Tensor], Any]:
        tensors, data = load(*args)
        read.extend(weakref.ref(one) for one in tensors.values())
        return tensors, data

    monkeypatch.setattr(state, "load", noted)
    run = plain()
    assert run.steps == 8
    gc.collect()
    assert len(read) >= 8
    assert [one for one in read if one() is not None] == []
    run.finish()


# Loops that are not what they were.


def batches_of_four(draws: Any = None) -> Any:
    return DataLoader(Data, 4) if draws is None else DataLoader(Data, batch_sampler=Buckets("rng", draws))


def train(
    sources: list[Any], loops: int = 1, *, die_at: tuple[int, int, int] | None = None, end: str = "stopped"
) -> int:
    """Train in so many loops of an epoch, each with a pass over each source; count the steps.

    Args:
        sources: Of batches.
        loops: How many.
        die_at: The loop, the pass and the batch behind which the process is killed; without them, go on from there.
        end: How the run ends.
    """
    model, steps = nn.Linear(4, 2), 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, name="passes", checkpoint=ALWAYS, resume=die_at is None, looks=False)
    with contextlib.suppress(Killed):
        for loop in range(loops):
            for _epoch in run.epochs(1):
                for number, source in enumerate(sources):
                    for at, (inputs, labels) in enumerate(run.batches(source)):
                        if (loop, number, at) == die_at:
                            raise Killed
                        F.cross_entropy(model(inputs), labels).backward()
                        optimizer.step()
                        steps += 1
    run.finish(end)
    return steps


def test_a_pass_that_is_no_longer_there_is_said_and_the_training_is_not_left_out_silently() -> None:
    train([batches_of_four()] * 2, die_at=(0, 1, 2))
    with pytest.raises(CheckpointDiffers, match=r"epoch\.passes was 2 and is 1"):
        train([batches_of_four()])


def test_a_loop_that_is_no_longer_there_is_said_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    train([batches_of_four()], 2, die_at=(1, 0, 2))
    said = "did not come to the place in its data where it was interrupted, at step 6"
    assert said not in capsys.readouterr().out
    assert train([batches_of_four()], 1, end="finished") == 0
    assert said in capsys.readouterr().out


def test_another_kind_of_generator_is_another_source() -> None:
    train([batches_of_four(torch.Generator())], die_at=(0, 0, 2))
    with pytest.raises(CheckpointDiffers, match=r"data\.generators was torch\.Generator and is numpy\.RandomState"):
        train([batches_of_four(np.random.RandomState(1))])


def test_a_source_before_the_place_may_have_another_generator_now() -> None:
    train([batches_of_four(torch.Generator()), batches_of_four()], die_at=(0, 1, 3))
    other = np.random.RandomState(1)
    assert train([batches_of_four(other), batches_of_four()]) == 1
    assert np.array_equal(other.get_state()[1], np.random.RandomState(1).get_state()[1])
