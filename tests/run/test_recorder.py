"""The recorder: it sees what a loop does, and the loop does not notice."""

import contextlib
import copy
import gc
import inspect
import math
import random
import shutil
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from firstlight.run import Recorder, Run, TrainingStopped
from firstlight.run import recorder as recorder_module
from firstlight.run import taps as taps_module
from firstlight.run import trained as trained_module
from firstlight.run.taps import taps
from firstlight.run.trained import note_result

Program = Callable[[Callable[..., Any]], list[Tensor]]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = (torch.autograd.backward, torch.Tensor.backward, DataLoader.__iter__, torch.amp.GradScaler.scale)
    yield
    assert taps.recorders == []
    assert (torch.autograd.backward, torch.Tensor.backward, DataLoader.__iter__, torch.amp.GradScaler.scale) == before


def net(inputs: int = 6, classes: int = 3, hidden: int = 16) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, classes))


def data(n: int = 64, inputs: int = 6, classes: int = 3) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, inputs)
    return x, x[:, :classes].argmax(1)


# Programs of many kinds. Each is given `listen(model, optimizer)`, a context, and returns the losses it computed.


def classifier(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = net(), data(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
    with listen(model, optimizer):
        for _epoch in range(3):
            for images, labels in loader:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
    return losses


def smoothed_and_weighted(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = net(), data(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=20)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)
    with listen(model, optimizer):
        for _ in range(20):
            loss = criterion(model(x), y)
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
    return losses


def segmentation(listen: Callable[..., Any]) -> list[Tensor]:
    model, losses = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1)), []
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    x, y = torch.randn(8, 1, 6, 6), torch.randint(3, (8, 6, 6))
    y[0] = 255
    with listen(model, optimizer):
        for _ in range(12):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, ignore_index=255)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return losses


def accumulation(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = net(), data(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with listen(model, optimizer):
        for _ in range(10):
            for part in range(4):
                rows = slice(part * 16, part * 16 + 16)
                loss = F.cross_entropy(model(x[rows]), y[rows]) / 4
                loss.backward()
                losses.append(loss.detach())
            optimizer.step()
            optimizer.zero_grad()
    return losses


def gan(listen: Callable[..., Any]) -> list[Tensor]:
    maker, judge, losses = nn.Linear(4, 6), nn.Linear(6, 1), []
    of_maker = torch.optim.Adam(maker.parameters(), lr=0.01)
    of_judge = torch.optim.Adam(judge.parameters(), lr=0.01)
    with listen([maker, judge], [of_maker, of_judge]):
        for _ in range(10):
            made = maker(torch.randn(8, 4))
            of_judge.zero_grad()
            real = F.binary_cross_entropy_with_logits(judge(torch.randn(8, 6)), torch.ones(8, 1))
            fake = F.binary_cross_entropy_with_logits(judge(made.detach()), torch.zeros(8, 1))
            (real + fake).backward()
            of_judge.step()
            of_maker.zero_grad()
            fooled = F.binary_cross_entropy_with_logits(judge(made), torch.ones(8, 1))
            fooled.backward()
            of_maker.step()
            losses += [(real + fake).detach(), fooled.detach()]
    return losses


def with_closure(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = nn.Linear(6, 3), data(), []
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    with listen(model, optimizer):
        for _ in range(6):
            losses.append(optimizer.step(closure).detach())
    return losses


def scaled(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = net(), data(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with listen(model, optimizer):
        for step in range(12):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            if step == 5:
                loss = loss * torch.tensor(math.inf)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.detach())
    return losses


def regression_with_regulariser(listen: Callable[..., Any]) -> list[Tensor]:
    model, losses = nn.Linear(5, 1, bias=False), []
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.05))
    x = torch.randn(32, 5)
    with listen(model, optimizer):
        for _ in range(15):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x)[:, 0], x.sum(1)) + 0.01 * model.weight.abs().sum()
            loss.backward(retain_graph=True)
            optimizer.step()
            with torch.no_grad():
                F.mse_loss(model(x)[:, 0], x.sum(1))
            losses.append(loss.detach())
    return losses


def language_model(listen: Callable[..., Any]) -> list[Tensor]:
    model, losses = nn.ModuleDict({"e": nn.Embedding(9, 8, sparse=True), "r": nn.GRU(8, 8), "o": nn.Linear(8, 9)}), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    tokens = torch.randint(9, (7, 5))
    with listen(model, optimizer):
        for _ in range(11):
            optimizer.zero_grad()
            hidden, _state = model["r"](model["e"](tokens[:-1]))
            loss = F.nll_loss(
                F.log_softmax(model["o"](hidden), -1).flatten(0, 1), tokens[1:].flatten(), reduction="sum"
            )
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return losses


def checkpointed(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = net(), data(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with listen(model, optimizer):
        for reentrant in (False, True) * 6:
            optimizer.zero_grad()
            loss = checkpoint(
                lambda images: F.cross_entropy(model(images), y), x.clone().requires_grad_(), use_reentrant=reentrant
            )
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return losses


def soft_labels_with_create_graph(listen: Callable[..., Any]) -> list[Tensor]:
    model, (x, y), losses = nn.Sequential(nn.Linear(6, 3)), data(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    targets = F.one_hot(y, 3).float()
    with listen(model, optimizer):
        for _ in range(8):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), targets)
            (slope,) = torch.autograd.grad(loss, model[0].bias, create_graph=True)
            loss = loss + 0.1 * slope.square().sum()
            torch.autograd.backward([loss])
            optimizer.step()
            losses.append(loss.detach())
    return losses


def by_hand(listen: Callable[..., Any]) -> list[Tensor]:
    weight, (x, y), losses = torch.zeros(6, 3, requires_grad=True), data(), []
    optimizer = torch.optim.SGD([weight], lr=0.5)
    with listen(None, optimizer):
        for _ in range(14):
            scores = x @ weight
            loss = (scores.logsumexp(1) - scores.gather(1, y[:, None])[:, 0]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return losses


PROGRAMS = [
    classifier,
    smoothed_and_weighted,
    segmentation,
    accumulation,
    gan,
    with_closure,
    scaled,
    regression_with_regulariser,
    language_model,
    checkpointed,
    soft_labels_with_create_graph,
    by_hand,
]


def play(program: Program, run: Run | None, **more: Any) -> tuple[list[Tensor], list[Tensor], list[Any]]:
    """Losses, weights and random states of a program, recorded or not."""
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)
    kept: list[Tensor] = []

    @contextlib.contextmanager
    def listen(models: Any, optimizers: Any) -> Iterator[None]:
        with Recorder(run, models, optimizers, **more) if run is not None else contextlib.nullcontext():
            yield
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            kept.extend(p.detach().clone() for group in optimizer.param_groups for p in group["params"])

    losses = program(listen)
    states = [torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.is_grad_enabled()]
    return losses, kept, states


@pytest.mark.parametrize("program", PROGRAMS)
def test_losses_weights_and_random_numbers_are_the_same_bit_for_bit(program: Program) -> None:
    plain = play(program, None)
    watched = play(program, Run())
    assert plain[1]
    for part in (0, 1):
        assert len(plain[part]) == len(watched[part])
        for one, other in zip(plain[part], watched[part], strict=True):
            assert (
                torch.equal(
                    one.view(torch.uint8 if one.dim() else one.dtype),
                    other.view(torch.uint8 if one.dim() else one.dtype),
                )
                or (one.isnan() & other.isnan()).all()
            )
    assert torch.equal(plain[2][0], watched[2][0])
    assert plain[2][1:] == watched[2][1:]


def values(run: Run, name: str) -> list[float]:
    return [point.value for point in run.metric(name)]


def recorded(program: Program, **more: Any) -> tuple[Run, list[float]]:
    run = Run()
    losses, _weights, _states = play(program, run, **more)
    return run, [float(loss) for loss in losses]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize(
    ("program", "kind", "has_accuracy"),
    [
        (classifier, "cross_entropy", True),
        (smoothed_and_weighted, "cross_entropy", True),
        (segmentation, "cross_entropy", True),
        (with_closure, "cross_entropy", True),
        (regression_with_regulariser, "mse", False),
        (language_model, "cross_entropy", True),
        (soft_labels_with_create_graph, "cross_entropy", True),
        (by_hand, "custom", False),
    ],
)
def test_each_step_has_its_loss(
    program: Program, kind: str, has_accuracy: bool, deferred: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if deferred:  # as on an accelerator: tensors are kept and read together
        monkeypatch.setattr(taps_module, "READ_AT_ONCE", ())
        monkeypatch.setattr(recorder_module, "READ_AT_ONCE", ())
    run, losses = recorded(program)
    assert values(run, "train/loss") == losses
    assert [point.step for point in run.metric("train/loss")] == list(range(len(losses)))
    assert run.info["loss"] == kind
    assert ("train/accuracy" in run.metrics()) == has_accuracy
    assert ("samples_per_s" in run.metrics()) or not has_accuracy or len(losses) < 300
    assert run.metric("lr")[0].step == 0


def test_accuracy_is_the_share_of_right_answers() -> None:
    model, (x, y) = nn.Linear(6, 3), data(30)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    y[:5] = -100
    expected: dict[str, list[float]] = {"nll": [], "binary": []}
    run, counted = Run(), y != -100
    with Recorder(run, model, optimizer):
        for step in range(12):
            scores = model(x)
            expected["nll"].append((scores.argmax(1) == y)[counted].float().mean().item())
            options = [{}, {"reduction": "sum"}, {"weight": torch.ones(3)}, {"label_smoothing": 0.2}][step % 4]
            optimizer.zero_grad()
            F.cross_entropy(scores, y, **options).backward()
            optimizer.step()
    assert values(run, "train/accuracy") == pytest.approx(expected["nll"])
    assert run.info["classes"] == 3

    for loss_of, edge in (
        (F.binary_cross_entropy_with_logits, 0.0),
        (lambda s, t: F.binary_cross_entropy(s.sigmoid(), t), 0),
    ):
        run, expected["binary"] = Run(), []
        targets = (x[:, :1] > 0).float()
        with Recorder(run, model, optimizer):
            for _ in range(4):
                scores = model(x)[:, :1]
                expected["binary"].append(((scores > edge) == (targets > 0.5)).float().mean().item())
                optimizer.zero_grad()
                loss_of(scores, targets).backward()
                optimizer.step()
        assert values(run, "train/accuracy") == pytest.approx(expected["binary"])

    run = Run()  # several labels per sample; the pixels of a picture are no labels
    with Recorder(run, model, optimizer):
        for targets in ((x[:, :3] > 0).float(), torch.rand(30, 3)):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x), targets).backward()
            optimizer.step()
        optimizer.zero_grad()
        F.multi_margin_loss(model(x), y.clamp(min=0)).backward()
        optimizer.step()
    assert run.metric("train/accuracy")[0].step == 0
    assert run.info["loss"] == "multi_margin"
    quiet = Run()
    with Recorder(quiet, model, optimizer, classify=False):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert "train/accuracy" not in quiet.metrics()
    nothing = Run()
    with Recorder(nothing, model, optimizer):
        F.cross_entropy(model(x), torch.full_like(y, -100)).backward()
        optimizer.step()
    assert nothing.metric("train/accuracy") == []
    assert math.isnan(nothing.last("train/loss"))


def test_accumulation_shows_the_mean_of_the_undivided_losses() -> None:
    run, losses = recorded(accumulation)
    expected = [sum(losses[at : at + 4]) for at in range(0, 40, 4)]
    assert values(run, "train/loss") == pytest.approx(expected)
    assert len(run.metric("train/accuracy")) == 10


def test_two_losses_in_one_step_show_their_mean() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer):
        first, second = F.cross_entropy(model(x), y), F.cross_entropy(model(x + 1), y)
        first.backward()
        second.backward()
        optimizer.step()
        optimizer.zero_grad()
        torch.autograd.backward([F.cross_entropy(model(x), y), F.cross_entropy(model(x), y)])
        optimizer.step()
    assert values(run, "train/loss")[0] == pytest.approx((first.item() + second.item()) / 2)
    assert len(values(run, "train/loss")) == 2


def test_losses_that_were_set_back_do_not_count() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer):
        for keep in (True, False):
            optimizer.zero_grad()
            (100 * F.cross_entropy(model(x), y)).backward()
            optimizer.zero_grad(set_to_none=keep)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            assert run.last("train/loss") == loss.item()


def test_each_optimizer_has_its_own_loss() -> None:
    run, losses = recorded(gan)
    assert values(run, "train/loss") == losses[0::2]
    assert values(run, "train/loss/2") == losses[1::2]
    assert {"lr", "lr/2"} <= set(run.metrics())


def test_one_optimizer_of_a_gan_has_only_its_loss() -> None:
    run = Run()

    def only(models: Any, optimizers: Any) -> Any:
        return Recorder(run, models[0], optimizers[0])

    torch.manual_seed(0)
    losses = gan(only)
    assert values(run, "train/loss") == [float(loss) for loss in losses[1::2]]


def test_scaled_gradients_show_the_unscaled_loss_and_skipped_steps() -> None:
    run, losses = recorded(scaled)
    assert values(run, "train/loss") == [loss for loss in losses if math.isfinite(loss)]
    assert [fact.step for fact in run.facts("skipped")] == [5]


def test_a_second_model_elsewhere_is_not_heard() -> None:
    model, other, (x, y) = net(), net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    of_other = torch.optim.SGD(other.parameters(), lr=0.1)
    run = Run()
    mine = []
    with Recorder(run, model, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            of_other.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            (7 * F.cross_entropy(other(x), y)).backward()
            of_other.step()
            optimizer.step()
            mine.append(loss.item())
    assert values(run, "train/loss") == mine


def test_two_recorders_at_once_do_not_cross() -> None:
    models, (x, y) = [net(), net()], data()
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    runs, losses = [Run(), Run()], [[], []]
    with Recorder(runs[0], models[0], optimizers[0]), Recorder(runs[1], models[1], optimizers[1]):
        for _ in range(6):
            for at in (0, 1):
                optimizers[at].zero_grad()
                loss = F.cross_entropy(models[at](x), y) * (at + 1)
                loss.backward()
                losses[at].append(loss.item())
            optimizers[1].step()
            optimizers[0].step()
    for at in (0, 1):
        assert values(runs[at], "train/loss") == pytest.approx(losses[at])


def test_recorders_in_two_threads_do_not_cross() -> None:
    runs = [Run(), Run()]
    losses: list[list[float]] = [[], []]

    def work(at: int) -> None:
        x, y = data()
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with Recorder(runs[at], model, optimizer):
            for _ in range(40):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                losses[at].append(loss.item())

    threads = [threading.Thread(target=work, args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at in (0, 1):
        assert values(runs[at], "train/loss") == losses[at]


def test_listening_to_the_same_model_again_ends_the_older_run() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    old, new, apart = Run(), Run(), Run()
    other = net()
    first = Recorder(old, model, optimizer).start()
    elsewhere = Recorder(apart, other, torch.optim.SGD(other.parameters(), lr=0.1)).start()
    second = Recorder(new, model).start()
    assert old.status == "finished"
    assert apart.status == new.status == "running"
    assert first.start() is first
    second.stop()
    second.stop()
    first.stop()
    elsewhere.stop()


def test_an_ended_run_is_not_listened_for() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    Recorder(run, model, optimizer).start()
    run.finish()
    assert taps.recorders == []
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def test_without_optimizer_the_one_with_the_model_is_found() -> None:
    model, stranger, (x, y) = net(), net(), data()
    run = Run()
    with Recorder(run, model):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        torch.optim.SGD(stranger.parameters(), lr=0.1).step()
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert len(run.metric("train/loss")) == 3
    assert run.info["optimizer"] == "Adam"
    assert run.info["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    bare = Run()
    with Recorder(bare):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert len(bare.metric("lr")) == 1


# Stopping.


def test_a_stop_comes_between_two_steps() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    steps = 0
    with run, Recorder(run, model, optimizer):
        threading.Timer(0.05, run.request_stop).start()
        while True:
            before = [parameter.detach().clone() for parameter in model.parameters()]
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            try:
                optimizer.step()
            finally:
                steps += 1
    assert run.status == "stopped"
    assert any(not torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True)), "complete"
    assert len(run.metric("train/loss")) == steps


def test_with_two_optimizers_the_round_is_completed() -> None:
    maker, judge = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (maker, judge)]
    run, order = Run(), []

    def stepping() -> None:
        for turn in range(20):
            for at in (0, 1):
                (maker(torch.ones(1, 2)).sum() + judge(torch.ones(1, 2)).sum()).backward()
                order.append(at)
                if turn == 3 and at == 0:
                    run.request_stop()
                optimizers[at].step()

    with Recorder(run, [maker, judge], optimizers), pytest.raises(TrainingStopped):
        stepping()
    assert order == [0, 1] * 4


# Leaving no trace.


def test_taps_come_off_also_when_others_wrapped_in_between() -> None:
    original = torch.autograd.backward
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, again, calls = Run(), Run(), []
    first = Recorder(run, model, optimizer).start()
    ours = torch.autograd.backward
    assert ours is not original
    assert ours.__doc__ == original.__doc__
    assert inspect.signature(ours) == inspect.signature(original)

    def theirs(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        ours(*args, **kwargs)

    torch.autograd.backward = theirs
    try:
        first.stop()
        assert torch.autograd.backward is theirs
        with Recorder(again, model, optimizer):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        assert len(again.metric("train/loss")) == 1, "not twice, although an old wrapper is inside"
        assert run.metric("train/loss") == []
        assert torch.autograd.backward is theirs
        assert calls == [1]
    finally:
        torch.autograd.backward = original


def test_exceptions_pass_and_the_loop_goes_on() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer):
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(()).backward()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        with pytest.raises(RuntimeError, match="scalar outputs"):
            model(x).backward()
        model(x).backward(torch.ones(64, 3))
        optimizer.step()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert [point.step for point in run.metric("train/loss")] == [0, 1]


def train_once(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    with Recorder(Run(), model, optimizer):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def test_a_mistake_of_ours_ends_the_recorder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before_backward", "after_backward", "before_step", "after_step"):
        model, (x, y) = net(), data()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with monkeypatch.context() as patch:
            patch.setattr(Recorder, name, lambda *args, **more: 1 / 0)
            with pytest.warns(RuntimeWarning, match="goes on without it"):
                train_once(model, optimizer, x, y)
            assert taps.recorders == []
        assert model[0].weight.grad is not None


def test_graphs_and_models_are_not_kept_alive() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer):
        loss = F.cross_entropy(model(x), y)

        def probe(gradients: Any) -> None: ...

        loss.grad_fn.register_prehook(probe)
        alive = weakref.ref(probe)
        del probe
        loss.backward()
        optimizer.step()
        del loss
        assert alive() is None
    kept = weakref.ref(model)
    run.finish()
    del model, optimizer, run
    gc.collect()
    assert kept() is None


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch.compile's own
def test_a_compiled_model_is_heard() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    compiled = torch.compile(model, backend="eager")

    @torch.compile(backend="eager")
    def step(images: Tensor, labels: Tensor) -> Tensor:
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    run = Run()
    with Recorder(run, model, optimizer):
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(compiled(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        for _ in range(3):
            optimizer.zero_grad()
            losses.append(float(step(x, y).detach()))
            optimizer.step()
    assert values(run, "train/loss") == losses
    assert len(run.metric("train/accuracy")) >= 3


def test_a_copied_optimizer_and_model_are_clean() -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(Run(), model, optimizer):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        copy.deepcopy(model)
        copy.deepcopy(optimizer)


# Time, batches, epochs.


class Batches:
    """A loader that is not torch's."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.n):
            yield torch.randn(5, 6), torch.randint(3, (5,))


class Endless(Batches):
    def __len__(self) -> int:
        raise TypeError("no length")


def test_epochs_and_their_length_are_seen() -> None:
    original = Batches.__iter__
    model, test = net(), Batches(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer, loaders=(DataLoader, Batches)):
        run.set_plan(total_epochs=3)
        train = Batches(8)
        for _epoch in range(3):
            for at, (images, labels) in enumerate(train):
                optimizer.zero_grad()
                F.cross_entropy(model(images), labels).backward()
                optimizer.step()
                if at == 4:
                    for _batch in test:
                        time.sleep(0.2)
        assert isinstance(next(iter(train)), tuple)
        assert len(list(Endless(2))) == 2
    assert Batches.__iter__ is original
    assert [fact.step for fact in run.facts("epoch")] == [0, 8, 16]
    assert [fact.data["epoch"] for fact in run.facts("epoch")] == [0, 1, 2]
    assert (run.plan.steps_per_epoch, run.plan.total_steps) == (8, 24)
    assert all(value < 0.1 for value in values(run, "step_s")), "what came between is no step"


def test_epochs_that_are_left_early_and_accumulated_batches() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer, loaders=(Batches,)):
        for _epoch in range(2):
            for at, (images, labels) in enumerate(Batches(9), 1):
                (F.cross_entropy(model(images), labels) / 3).backward()
                if at % 3 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        assert run.plan.steps_per_epoch == 3
        for images, labels in Batches(9):
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            break
        next(iter(Batches(9)))
        for images, labels in Batches(9):
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            break
    assert run.plan.steps_per_epoch == 1


def test_speed_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_SHARE", 1000.0)  # a busy machine must not make it look less often
    monkeypatch.setattr(recorder_module, "_INFO_S", 0.1)
    model, (x, y) = net(hidden=64), data(256)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    recorder = Recorder(run, model, optimizer)
    with recorder:
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < 0.6 or steps < 40:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            time.sleep(0.001)
            steps += 1
        seconds = time.perf_counter() - began
    speeds = values(run, "samples_per_s")
    assert len(speeds) >= 3
    # Medians and wide bounds: beside busy neighbours single steps take many times as long as others.
    assert 0.2 < statistics.median(speeds) / (256 * steps / seconds) < 5
    assert 0.2 < statistics.median(values(run, "step_s")) / (seconds / steps) < 5
    assert 0 < run.info["overhead"] < 1
    norms = run.metric("grad/norm")
    assert [point.step for point in norms][:2] == [0, 10]
    assert len(run.metric("train/loss")) == steps


def test_the_governor_looks_less_often_where_looking_costs_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_COMPLETE", 10)
    monkeypatch.setattr(recorder_module, "_SHARE", 0.0)
    monkeypatch.setattr(recorder_module, "_BURST_S", 0.0)
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    recorder = Recorder(run, model, optimizer)
    with recorder:
        for _ in range(400):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        assert len(run.metric("train/accuracy")) < 60
        assert 10 < len(run.metric("train/loss")) < 200
        monkeypatch.setattr(recorder_module, "_SHARE", 1000.0)
        for _ in range(40):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        assert recorder._accuracy_every == recorder._loss_every == 1


def test_another_thread_may_read_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps_module, "READ_AT_ONCE", ())
    monkeypatch.setattr(recorder_module, "READ_AT_ONCE", ())
    monkeypatch.setattr(Recorder, "_govern", lambda *_: None)  # on a busy machine it would leave steps out
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, done = Run(), threading.Event()
    seen: list[tuple[str, int, float, float]] = []

    def look() -> None:
        cursor = 0
        while not done.is_set():
            rows, cursor = run.points_since(cursor)
            seen.extend(rows)
            time.sleep(0.001)

    reader = threading.Thread(target=look)
    with Recorder(run, model, optimizer):
        reader.start()
        for _ in range(200):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    done.set()
    reader.join()
    assert [point.step for point in run.metric("train/loss")] == list(range(200))
    steps = [row[1] for row in seen if row[0] == "train/loss"]
    assert steps == sorted(set(steps))


def test_a_run_ended_by_another_thread_does_not_break_the_loop(tmp_path: Path) -> None:
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run.start("t", folder=tmp_path)
    Recorder(run, model, optimizer).start()
    threading.Timer(0.1, run.finish).start()
    while run.status == "running":
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    time.sleep(0.05)
    assert Run.open(run.folder).status == "finished"


def test_a_loop_over_several_cells_rests_and_resumes() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.history_manager.enabled = False
        run = Run()
        events: list[str] = []
        run.subscribe(events.append)
        model, (x, y) = net(), data()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step() -> None:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

        shell.push({"step": step})
        with Recorder(run, model, optimizer):
            for _cell in range(2):
                shell.run_cell("for _ in range(3): step()").raise_error()
        shell.run_cell("1")
        assert events == ["resting", "resumed", "resting"]
        assert len(run.metric("train/loss")) == 6
        assert shell.events.callbacks["post_run_cell"] == []
    finally:
        shell.history_manager.end_session() if hasattr(shell.history_manager, "end_session") else None
        InteractiveShell.clear_instance()


def test_a_recorder_that_failed_lets_go_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    recorder = Recorder(run, model, optimizer).start()
    assert run._sources
    monkeypatch.setattr(recorder, "after_step", lambda *_: 1 / 0)
    F.cross_entropy(model(torch.ones(4, 2)), torch.ones(4).long()).backward()
    with pytest.warns(RuntimeWarning, match="training goes on without it"):
        optimizer.step()
    assert run._sources == run._callbacks == []
    optimizer.step()
    run.finish()


def test_batch_sizes() -> None:
    size = taps_module.batch_size
    assert (
        size(torch.ones(4, 2)) == size([torch.ones(4), 3]) == size({"x": torch.ones(4)}) == size(np.ones((4, 1))) == 4
    )
    assert size(torch.tensor(1)) == 1
    assert size([]) == size({}) == size(None) == 0


def test_private_names_that_we_read_are_there() -> None:
    """A canary: where torch renames one of these, accuracy or a checkpointed loss would go quiet."""
    assert torch._C._current_graph_task_id() == -1
    node = F.cross_entropy(torch.ones(2, 3, requires_grad=True), torch.tensor([0, 1])).grad_fn
    for name in ("_saved_weight", "_saved_reduction", "_saved_total_weight", "_saved_ignore_index", "_raw_saved_self"):
        assert hasattr(node, name)
    assert node._raw_saved_self.unpack_hook is None


def test_what_a_graph_does_not_give_is_left_alone() -> None:
    from firstlight.run.loss import LossReader, scale_of

    scores = torch.randn(4, 3, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0])
    read = LossReader()
    changed = torch.randn(4, 3, requires_grad=True)
    log_scores = changed.log_softmax(1)
    loss = F.nll_loss(log_scores, labels)
    with torch.no_grad():
        log_scores.zero_()  # autograd refuses to show what was changed since
    assert read.read(loss.grad_fn).correct is None
    freed = F.cross_entropy(scores, labels)
    freed.backward()
    assert read.read(freed.grad_fn).correct is None
    assert scale_of((F.mse_loss(scores, scores.detach()) * scores.sum()).grad_fn) == 1.0
    assert scale_of((freed.detach() * scores.sum() * 0.5).grad_fn) == 0.5
    assert scale_of((scores.sum() / 4).grad_fn) == 0.25
    for mixed in (scores.log_softmax(1) * scores, scores.log_softmax(0) * torch.ones(4, 3), scores.log_softmax(1) * 2):
        assert read.read(mixed.sum().grad_fn).kind == "custom"
    for _ in range(5):
        assert read.read(scores.abs().mean().grad_fn).kind == "custom"
    both = F.mse_loss(scores, torch.zeros(4, 3)) + F.cross_entropy(scores, labels)
    assert read.read(both.grad_fn).kind == "cross_entropy"
    one = F.cross_entropy(scores[0], labels[0])
    assert (read.read(one.grad_fn).samples, read.read(one.grad_fn).classes) == (1, 3)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: pytest.fail("unpacked")):
        hooked = F.cross_entropy(scores, labels)
    assert read.read(hooked.grad_fn).kind == "cross_entropy"
    assert read.read(hooked.grad_fn).correct is None
    wide = F.binary_cross_entropy_with_logits(torch.randn(2, 500, requires_grad=True), torch.ones(2, 500))
    assert read.read(wide.grad_fn).correct is None
    deep = scores
    for _ in range(300):
        deep = deep + 1
    assert read.read(F.mse_loss(deep, torch.zeros(4, 3)).grad_fn).kind == "mse"
    assert read.read(deep.sum().grad_fn).kind == "custom"


def test_a_loop_without_a_loader_has_no_epochs_of_an_older_loader() -> None:
    model, (x, y) = net(), data(40)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    older = Run()
    with Recorder(older, model, optimizer):
        for images, labels in loader:
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        next(iter(loader))  # a look at one batch
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # a step after the loop belongs to it
    assert (older.plan.steps_per_epoch, len(older.facts("epoch"))) == (4, 1)
    run = Run()
    with Recorder(run, model, optimizer):
        for start in range(0, 40, 8):
            F.cross_entropy(model(x[start : start + 8]), y[start : start + 8]).backward()
            optimizer.step()
    assert (run.plan.steps_per_epoch, run.facts("epoch")) == (None, [])


class SlowDevice:
    """Stands in for `_Copy`: numbers arrive when `arrive` is called, and asking for them before is counted.

    It shows when the recorder asks for a number. It does not show that a copy from a real device is asynchronous.
    """

    waited = 0
    everything = False

    def __init__(self, numbers: torch.Tensor) -> None:
        self.numbers_ = numbers

    @classmethod
    def arrive(cls, *, everything: bool = True) -> None:
        cls.everything = everything

    def is_there(self) -> bool:
        return self.everything

    def numbers(self) -> list[float]:
        type(self).waited += not self.everything
        return self.numbers_.tolist()


class Reads(TorchDispatchMode):
    """Counts what makes a loop on an accelerator wait: a tensor that becomes a number or goes to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function._schema.name in ("aten::_local_scalar_dense", "aten::_to_copy", "aten::equal")
        return function(*args, **(kwargs or {}))


def test_no_step_waits_for_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps_module, "READ_AT_ONCE", ())
    monkeypatch.setattr(recorder_module, "READ_AT_ONCE", ())
    monkeypatch.setattr(recorder_module, "_Copy", SlowDevice)
    monkeypatch.setattr(recorder_module, "_BURST_S", 0.0)  # at each step it could ask
    monkeypatch.setattr(recorder_module, "_SHARE", 1000.0)
    monkeypatch.setattr(SlowDevice, "waited", 0)
    monkeypatch.setattr(SlowDevice, "everything", False)
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    losses: list[float] = []

    def steps(count: int) -> int:
        kept = []
        with Reads() as reads:
            for _ in range(count):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                kept.append(loss.detach())
        losses.extend(float(loss) for loss in kept)
        return reads.count

    with Recorder(run, model, optimizer) as recorder:
        assert steps(30) == 0
        assert SlowDevice.waited == 0
        assert not run._points.of("train/loss"), "nothing has come yet"
        SlowDevice.arrive()
        steps(2)
        assert run._points.of("train/loss"), "what has come is there without anybody asking"
        SlowDevice.arrive(everything=False)
        assert steps(30) == 0
        assert SlowDevice.waited == 0
        assert recorder._loss_every == 1
        assert run.last("train/loss") == losses[-1], "who asks the run waits"
        assert SlowDevice.waited
    assert values(run, "train/loss") == losses
    assert [point.step for point in run.metric("train/loss")] == list(range(62))
    assert "grad/norm" in run.metrics()


def test_a_device_that_cannot_be_asked_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = recorder_module._Copy(torch.arange(3.0))
    assert not numbers.is_there()
    monkeypatch.setattr(recorder_module, "_UNASKED_S", 0.0)
    assert numbers.is_there()
    assert numbers.numbers() == [0.0, 1.0, 2.0]


def test_steps_whose_loss_is_not_noted_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "_govern", lambda *_: None)
    looked, asked = [], []
    look, ask = taps_module.Taps._look, Recorder.before_backward
    monkeypatch.setattr(Recorder, "before_backward", lambda self: asked.append(1) or ask(self))
    monkeypatch.setattr(taps_module.Taps, "_look", lambda self, *args: looked.append(1) or look(self, *args))
    model, (x, y) = net(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, losses = Run(), []
    with Recorder(run, model, optimizer, looks=False) as recorder:
        recorder._loss_every = recorder._accuracy_every = 4
        for _ in range(21):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert [(point.step, point.value) for point in run.metric("train/loss")] == [
        (step, losses[step]) for step in range(0, 21, 4)
    ]
    assert len(looked) == len(asked) == 6, "the others cost almost nothing"
    assert recorder.count(optimizer) == 21
    assert run.steps == 21, "the speed of the last steps is noted at the last one"


def test_what_is_measured_on_a_model_goes_to_the_run_that_trained_it_last(tmp_path: Path) -> None:
    model, other, (x, y) = net(), net(), data()
    note_result(model, {"test/accuracy": 0.1})  # nobody trained it

    def train(model: nn.Module, plan: int | None = None) -> Run:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = Run.start("t", folder=tmp_path)
        run.set_plan(total_steps=plan)
        Recorder(run, model, optimizer).start()
        for _ in range(3):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        return run

    first, second, apart = train(model), train(model, 3), train(other, 4)
    watched_only = Run.start("waits", folder=tmp_path)
    Recorder(watched_only, model).start()  # its loop has made no step
    note_result(model, {"test/accuracy": 0.5})
    assert [point[:2] for point in second.metric("test/accuracy")] == [(2, 0.5)]
    assert all("test/accuracy" not in run.metrics() for run in (first, apart, watched_only))
    assert second.status == "finished", "watching again ended it"
    note_result(other, {"test/accuracy": 0.25})
    assert apart.status == "running", "its loop may be in the middle"
    note_result(copy.deepcopy(other), {"test/accuracy": 0.75})
    assert apart.last("test/accuracy") == 0.25
    third = train(other, 3)
    note_result(other, {"test/accuracy": 0.75})
    assert third.status == "resting", "its plan is reached"

    folder = third.folder
    third.finish()
    del third
    gc.collect()
    note_result(other, {"test/accuracy": 0.875})  # nobody kept the run; its folder is there
    assert Run.open(folder).last("test/accuracy") == 0.875
    shutil.rmtree(folder)
    note_result(other, {"test/accuracy": 1.0})
    for run in (first, second, apart, watched_only):
        run.finish()
    count = len(trained_module._trained)
    del model, other
    gc.collect()
    assert len(trained_module._trained) < count, "nothing is kept alive"


def test_steps_that_pass_by_count_for_speed_epochs_and_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "_govern", lambda *_: None)
    monkeypatch.setattr(recorder_module, "_BURST_S", 1e9)
    passed = []
    pass_by = Recorder.pass_by
    monkeypatch.setattr(Recorder, "pass_by", lambda self, *args: passed.append(pass_by(self, *args)) or passed[-1])
    model, (x, y) = net(), data(60)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(x, y), batch_size=10)
    run = Run()
    with Recorder(run, model, optimizer, looks=False) as recorder:
        recorder._loss_every = recorder._accuracy_every = 4

        def step(batch: Tensor, labels: Tensor) -> None:
            optimizer.zero_grad()
            F.cross_entropy(model(batch), labels).backward()
            optimizer.step()

        for _ in range(3):
            for batch, labels in loader:
                step(batch, labels)
            list(loader)  # an evaluation, which is no step
        assert [fact.step for fact in run.facts("epoch")] == [0, 6, 12]
        assert sum(one is not None for one in passed) > 8
        steps, seconds, samples, _own = recorder._burst
        assert (steps, samples) == (18, 180)
        assert 0 < seconds < run.duration
        run.request_stop()
        with pytest.raises(TrainingStopped):
            step(x, y)
        run.rest(TrainingStopped())
        step(x, y)
        step(x, y)
        assert run.status == "running"
        assert recorder.count(optimizer) == 21
    assert run.steps == 21
