"""fit, against the plain loop written out by hand."""

import copy
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.run import Run, audience
from firstlight.train import LossNotFinite, evaluate, fit
from firstlight.train.plan import can_compile

Points = Dataset


def points(count: int = 200, classes: int = 3, seed: int = 0, shift: float = 2.0) -> Points:
    """Clouds of points, one for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    inputs = torch.randn(count, 4, generator=generator)
    inputs[:, 0] += shift * labels
    return Dataset(inputs, labels, tuple(f"cloud {k}" for k in range(classes)), name="clouds")


def net(seed: int = 0, outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, outputs))


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_it_is_the_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    train, test = points(), points(60, seed=1)
    model = net()
    torch.manual_seed(7)
    run = fit(
        model, train, test, epochs=3, batch_size=32, lr=0.01, schedule=None, optimizer=torch.optim.SGD, device="cpu",
        threads=torch.get_num_threads(),  # those of the loop below: another number adds sums in another order
    )  # fmt: skip

    plain = net()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.01)
    losses, best, kept = [], (-1.0, 0.0), {}
    torch.manual_seed(7)
    for _epoch in range(3):
        plain.train()
        for inputs, labels in train.batches(32, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(plain(inputs), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        result = evaluate(plain, test)
        if (result.accuracy, -result.loss) > best:
            best, kept = (result.accuracy, -result.loss), copy.deepcopy(plain.state_dict())

    assert [point.value for point in run.metric("train/loss")] == pytest.approx(losses, rel=1e-6)
    assert same(weights(model), kept)  # bit for bit
    assert run.status == "finished"
    assert run.model is model
    assert [point.step for point in run.metric("test/accuracy")] == [6, 13, 20]
    assert run.info["test"]["test/accuracy"] == best[0]
    assert run.plan.total_steps == 21
    assert capsys.readouterr().out.count("Training on CPU") == 1


def test_a_seed_repeats_every_bit_and_leaves_the_generators_alone() -> None:
    train, test = points(), points(60, seed=1)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()

    def once(seed: int | None) -> tuple[dict[str, Tensor], list[float]]:
        model = net()
        torch.set_rng_state(states[0])
        run = fit(model, train, test, epochs=2, batch_size=32, seed=seed, augment=lambda x: x + torch.rand(()))
        return weights(model), [point.value for point in run.metric("train/loss")]

    first, losses = once(5)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])
    torch.rand(3)
    second, again = once(5)
    assert same(first, second)
    assert losses == again
    other, _ = once(6)
    assert not same(first, other)
    once(None)
    assert not torch.equal(torch.get_rng_state(), states[0])


def test_modes_and_device_come_back() -> None:
    model = net()
    model.eval()
    model[3].train()
    modes = [module.training for module in model.modules()]
    fit(model, points(), points(30), epochs=1, device="cpu")
    assert [module.training for module in model.modules()] == modes
    model[0] = nn.Linear(5, 16).eval()
    with pytest.raises(FirstlightError):
        fit(model, points(), epochs=1)
    assert [module.training for module in model.modules()] == modes


class Pictures(nn.Module):
    """A convolutional network that needs nothing of its inputs' memory format."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Linear(8 * 9, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = nn.functional.max_pool2d(self.norm(self.conv(inputs)).relu(), 2)
        return self.out(hidden.flatten(1))


def pictures(count: int = 400) -> Dataset:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(count) % 3
    inputs = torch.randn(count, 1, 8, 8, generator=generator) + labels.view(-1, 1, 1, 1)
    return Dataset(inputs, labels, ("a", "b", "c"), name="noise")


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_plain_settings_give_the_losses_of_the_plain_loop(momentum: float) -> None:
    train = pictures()

    def sgd(weights: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, lr=0.02, momentum=momentum)

    torch.manual_seed(0)
    model = Pictures()
    plain = copy.deepcopy(model)
    torch.manual_seed(7)
    run = fit(
        model, train, epochs=4, batch_size=32, validation=0.0, optimizer=sgd, schedule=None, device="cpu",
        precision="float32", memory_format="contiguous", compile=False, threads=torch.get_num_threads(),
    )  # fmt: skip

    optimizer, losses = sgd(plain.parameters()), []
    torch.manual_seed(7)
    for _epoch in range(4):
        for inputs, labels in train.batches(32, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(plain(inputs), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert len(losses) == 52
    noted = [point.value for point in run.metric("train/loss")][:50]
    assert noted == pytest.approx(losses[:50], rel=1e-6, abs=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile uses what torch itself has given up
@pytest.mark.parametrize(
    "options", [{"precision": "bfloat16"}, {"memory_format": "channels_last"}, {"compile": True}, {"threads": 1}]
)
def test_how_a_step_computes_can_be_said(options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    if options.get("compile") and not can_compile():
        pytest.skip("no C++ compiler")
    torch.manual_seed(0)
    model, threads = Pictures(), torch.get_num_threads()
    plain = copy.deepcopy(model)
    data = pictures(100)
    run = fit(model, data, data, epochs=2, batch_size=32, seed=1, device="cpu", **options)
    same_but_plain = fit(plain, data, data, epochs=2, batch_size=32, seed=1, device="cpu", precision="float32")
    for name, value in options.items():
        assert run.info[name] == value
    ours, others = ([point.value for point in one.metric("train/loss")] for one in (run, same_but_plain))
    assert ours == pytest.approx(others, rel=0.05)
    line = capsys.readouterr().out.splitlines()[0]
    words = {"precision": "bfloat16", "memory_format": "channels last", "compile": "compiled", "threads": "threads: 1"}
    assert words[next(iter(options))] in line
    assert all(weight.is_contiguous() and weight.dtype == torch.float32 for weight in model.parameters())
    assert torch.get_num_threads() == threads
    assert not torch.is_autocast_enabled("cpu")
    assert run.info["peak_memory"] >= 0


def test_an_autocast_around_the_call_changes_nothing() -> None:
    found = []
    for outer in (False, True):
        torch.manual_seed(0)
        model = Pictures()
        with torch.autocast("cpu", enabled=outer):
            for precision in ("float32", "bfloat16"):
                run = fit(model, pictures(100), validation=0.0, epochs=2, seed=1, device="cpu", precision=precision)
                found.append([point.value for point in run.metric("train/loss")])
    assert found[0] == found[2]
    assert found[1] == found[3]  # inside an outer autocast, torch would go on with weights cast in the first step


def test_the_best_weights_are_copied_into_memory_that_is_there() -> None:
    held: list[int] = []

    class Watched(Pictures):
        def load_state_dict(self, weights: Any, *rest: Any, **more: Any) -> Any:
            held.extend(value.data_ptr() for value in weights.values())
            return super().load_state_dict(weights, *rest, **more)

        def state_dict(self, *rest: Any, **more: Any) -> Any:
            asked.append(1)
            return super().state_dict(*rest, **more)

    asked: list[int] = []
    copies: list[int] = []
    real = copy.deepcopy

    def counted(value: Any, *rest: Any) -> Any:
        if isinstance(value, dict) and "conv.weight" in value:
            copies.append(1)
        return real(value, *rest)

    model, data = Watched(), pictures(100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy, "deepcopy", counted)
        run = fit(model, data, data, epochs=6, device="cpu", lr=0.01)
    assert run.info["best_epoch"] > 1
    assert len(copies) == 1  # at the start
    assert len(asked) > 2
    tensors, _data = run.load_state("best")
    assert all(torch.equal(tensors[name], value) for name, value in model.state_dict().items())
    assert not set(held) & {value.data_ptr() for value in model.state_dict().values()}


def test_slow_saving_is_done_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    real = Run.save_state

    def slow(run: Run, name: str, tensors: Any, data: Any = None) -> Any:
        saved.append(data["epoch"])
        time.sleep(0.2)
        return real(run, name, tensors, data)

    monkeypatch.setattr(Run, "save_state", slow)
    model, data = Pictures(), pictures(100)
    run = fit(model, data, data, epochs=8, device="cpu", lr=0.01)
    best = run.info["best_epoch"]
    assert best > 2
    assert saved == [1, best]
    tensors, _data = run.load_state("best")
    assert torch.equal(tensors["conv.weight"], model.conv.weight)


class Sabotage(nn.Module):
    """Good after the first epoch; later every step pulls it away from there."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scale * nn.functional.one_hot((inputs[:, 0] > 1).long(), 2).float()


def test_the_best_weights_are_kept_by_copy() -> None:
    train = points(64, 2, shift=100.0)
    model = Sabotage()
    steps = iter(range(100))

    def worse(outputs: Tensor, labels: Tensor) -> Tensor:  # the first four steps raise the scale, the others lower it
        return -outputs.sum() if next(steps) < 4 else outputs.sum()

    run = fit(model, train, train, epochs=5, batch_size=16, loss=worse_when_training(worse), schedule=None,
              optimizer=lambda p: torch.optim.SGD(p, lr=0.1))  # fmt: skip
    assert run.info["best_epoch"] == 1
    assert model.scale.item() == pytest.approx(1.0 + 4 * 0.1 * 16)
    tensors, data = run.load_state("best")
    assert tensors["scale"].item() == pytest.approx(model.scale.item())
    assert data["epoch"] == 1


def worse_when_training(worse: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        return (
            worse(outputs, labels)
            if outputs.requires_grad and len(labels) > 4
            else outputs.mean() * 0 + 1 / outputs.max().abs()
        )

    return loss


def test_early_stopping_ends_and_says_so() -> None:
    train = points(64)
    run = fit(net(), train, train, epochs=50, lr=1e-12, schedule=None, patience=2, clip=1.0,
              optimizer=lambda p: torch.optim.SGD(p, lr=0.0))  # fmt: skip
    assert run.status == "finished"
    assert "no improvement for 2 epochs" in (run.reason or "")
    assert len(run.metric("test/loss")) < 50


def test_without_test_data_a_stratified_part_judges(capsys: pytest.CaptureFixture[str]) -> None:
    run = fit(net(), points(300), epochs=2, batch_size=30, seed=1)
    assert "30 of 300 training samples are kept aside" in capsys.readouterr().out
    assert run.plan.steps_per_epoch == 9
    assert len(run.metric("val/accuracy")) == 2
    assert run.metric("test/accuracy") == []
    assert set(run.info["val"]) == {"val/loss", "val/accuracy"}


def test_validation_beside_test_keeps_test_for_the_end() -> None:
    model, test = net(), points(60, seed=1)
    run = fit(model, points(300), test, epochs=3, batch_size=30, validation=0.2)
    assert len(run.metric("val/accuracy")) == 3
    assert len(run.metric("test/accuracy")) == 1
    result = evaluate(model, test)
    assert run.last("test/accuracy") == result.accuracy
    assert run.info["test"]["test/loss"] == pytest.approx(result.loss)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", None])
def test_schedules_are_those_of_torch(schedule: str | None) -> None:
    run = fit(net(), points(96), points(9), epochs=2, batch_size=32, lr=0.1, schedule=schedule)
    rates = {point.step: point.value for point in run.metric("lr")}
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=0.1)
    if schedule == "one-cycle":
        reference: Any = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=7, cycle_momentum=False)
    elif schedule == "cosine":
        reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    else:
        reference = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    last = None
    for step in range(6):
        last = rates.get(step, last)  # noted where it changes
        assert last == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_a_schedule_of_ones_own() -> None:
    made: list[Any] = []

    def schedule(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        made.append(torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5))
        return made[0]

    run = fit(net(), points(96), points(9), epochs=1, batch_size=32, lr=0.8, schedule=schedule)
    assert [point.value for point in run.metric("lr")] == pytest.approx([0.8, 0.4, 0.2])


def test_default_rates() -> None:
    data = points(96)
    assert fit(net(), data, data, epochs=1).info["lr"] == 0.003  # the peak of one-cycle
    assert fit(net(), data, data, epochs=1, schedule=None).info["lr"] == 0.001


def test_an_optimizer_of_ones_own_is_used_and_handed_back() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    before = {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}
    fit(model, points(), points(30), epochs=1, optimizer=optimizer)
    assert {key: value for key, value in optimizer.param_groups[0].items() if key != "params"} == before
    assert optimizer.state[model[0].weight]["momentum_buffer"] is not None
    with pytest.raises(FirstlightError, match="6 tensors that are not weights of this model"):
        fit(net(), points(), epochs=1, optimizer=optimizer)


def test_label_smoothing_class_weights_and_clipping_are_those_of_torch() -> None:
    data = points(90).subset(range(80))
    model, plain = net(), net()
    for layer in (model[3], plain[3]):
        layer.p = 0.0
    counts = torch.bincount(data.labels)
    balanced = len(data) / (3 * counts)
    fit(model, data, validation=0.0, epochs=1, batch_size=80, lr=0.1, schedule=None, clip=0.01, label_smoothing=0.2,
        class_weights="balanced", optimizer=torch.optim.SGD)  # fmt: skip
    criterion = nn.CrossEntropyLoss(weight=balanced, label_smoothing=0.2)
    criterion(plain(data.inputs), data.labels).backward()
    nn.utils.clip_grad_norm_(plain.parameters(), 0.01)
    torch.optim.SGD(plain.parameters(), lr=0.1).step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model.parameters(), plain.parameters(), strict=True))
    run = fit(net(), data, data, epochs=1, class_weights=torch.tensor([1.0, 0.0, 2.0]))
    assert run.status == "finished"


def test_loaders_of_every_kind() -> None:
    data = TensorDataset(points().inputs, points().labels)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(data, 32, shuffle=True, generator=generator)
    before = generator.get_state()
    assert fit(net(), loader, DataLoader(data, 50), epochs=2).last("test/accuracy") is not None
    reference = torch.Generator()
    reference.set_state(before)
    for _ in range(2):
        list(DataLoader(data, 32, shuffle=True, generator=reference))
    assert torch.equal(generator.get_state(), reference.get_state())  # the look before training was not noticed
    assert fit(net(), data, data, epochs=1).plan.steps_per_epoch == 2
    batches = [(points().inputs, points().labels)]
    assert fit(net(), batches, batches, epochs=1).plan.steps_per_epoch == 1
    assert fit(net(), points().batches(50), points(), epochs=1).plan.steps_per_epoch == 4


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        data = points(64)
        yield from zip(data.inputs, data.labels, strict=True)


def test_a_stream_without_a_length(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FirstlightError, match="needs the number of steps"):
        fit(net(), DataLoader(Stream(), 16), epochs=1)
    run = fit(net(), DataLoader(Stream(), 16), epochs=2, schedule=None)
    assert len(run.metric("train/loss")) == 8
    assert "the weights of the last epoch are kept" in capsys.readouterr().out


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.layer(inputs["left"] + inputs["right"])


def test_inputs_in_a_dictionary() -> None:
    data = points(64)
    batches = [({"left": data.inputs, "right": data.inputs}, data.labels)]
    assert fit(Both(), batches, batches, epochs=2).status == "finished"


def test_lazy_layers() -> None:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    run = fit(model, points(), points(30), epochs=1)
    assert run.info["parameters"] == 4 * 8 + 8 + 8 * 3 + 3


def test_a_rest_of_one_sample_is_no_trouble_for_batchnorm() -> None:
    assert fit(net(), points(65), points(9), epochs=1, batch_size=32).plan.steps_per_epoch == 2


def test_a_loss_of_ones_own_for_numbers() -> None:
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(inputs, inputs.sum(dim=1, keepdim=True))
    run = fit(nn.Linear(4, 1), data, data, epochs=30, batch_size=16, lr=0.1, loss=nn.functional.mse_loss)
    assert run.last("test/accuracy") is None
    assert (run.last("test/loss") or 1.0) < 1e-3


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_other_precisions(precision: str) -> None:
    model = net()
    run = fit(model, points(), points(60, seed=1), epochs=8, batch_size=16, lr=0.02, precision=precision, seed=0)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert (run.last("test/accuracy") or 0) > 0.6
    assert run.info["precision"] in (("bfloat16",) if precision == "bfloat16" else ("float32", "bfloat16"))


@pytest.mark.parametrize("validation", [None, 0.1], ids=["judged by the test split", "tested at the end"])
def test_what_the_weights_reach_is_what_evaluate_finds_whatever_the_steps_computed_in(validation: float | None) -> None:
    model, test = net(), points(60, seed=1, shift=0.5)
    run = fit(
        model, points(shift=0.5), test, epochs=3, batch_size=16, precision="bfloat16", seed=0, validation=validation
    )
    found = evaluate(model, test)
    assert run.info["test"]["test/accuracy"] == found.accuracy
    assert run.info["test"]["test/loss"] == pytest.approx(found.loss, rel=1e-6)


def test_a_loss_that_is_no_number_stops_and_the_best_weights_stay() -> None:
    train, test = points(64), points(60, seed=1)
    model = net()
    calls = iter(range(1000))

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        value = nn.functional.cross_entropy(outputs, labels)
        return value * math.nan if outputs.requires_grad and len(labels) == 16 and next(calls) >= 5 else value

    with pytest.raises(LossNotFinite, match="The loss became nan at step 5") as caught:
        fit(model, train, test, epochs=9, batch_size=16, loss=loss)
    run = caught.value.run
    assert run.status == "failed"
    assert "epoch 1" in str(caught.value)
    assert evaluate(model, test).accuracy == run.last("test/accuracy")
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_nan_in_the_first_epoch_leaves_the_model_as_it_was() -> None:
    model, data = net(), points(64)
    before = weights(model)
    data.inputs[50] = math.nan
    with pytest.raises(LossNotFinite, match="its weights of the start"):
        fit(model, data, points(9), epochs=1, batch_size=8)
    assert same(weights(model), before)


class Slow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        time.sleep(0.002)
        return self.layer(inputs)


def test_a_stop_ends_between_two_steps_and_the_model_keeps_what_it_learned() -> None:
    started: list[Run] = []

    def listener(run: Run) -> None:
        started.append(run)
        threading.Timer(1.5, run.request_stop).start()

    audience.append(listener)
    try:
        model = Slow()
        before = weights(model)
        begin = time.perf_counter()
        run = fit(model, points(), points(30), epochs=100_000, batch_size=8)
    finally:
        audience.remove(listener)
    assert time.perf_counter() - begin < 10
    assert run is started[0]
    assert run.status == "stopped"
    assert not same(weights(model), before)


class SlowToJudge(Slow):
    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training and len(inputs) > 4:
            time.sleep(0.05)
        return super().forward(inputs)


def test_a_stop_is_heard_while_the_epoch_is_being_judged() -> None:
    def listener(run: Run) -> None:
        threading.Timer(0.5, run.request_stop).start()

    audience.append(listener)
    try:
        begin = time.perf_counter()  # judging one epoch takes 500 * 0.05 s
        run = fit(SlowToJudge(), points(32), points(8 * 4 * 500), epochs=9, batch_size=8)
    finally:
        audience.remove(listener)
    assert run.status == "stopped"
    assert time.perf_counter() - begin < 5


def test_ctrl_c_does_the_same() -> None:
    model = net()
    seen = iter(range(1000))

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        if next(seen) == 10:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(outputs, labels)

    run = fit(model, points(), points(30), epochs=5, batch_size=8, loss=loss)
    assert run.status == "stopped"
    assert run.model is model


def test_an_error_in_the_model_ends_the_run_as_failed() -> None:
    runs: list[Run] = []
    audience.append(runs.append)
    seen = iter(range(1000))

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        if next(seen) == 10:
            raise ZeroDivisionError("on purpose")
        return nn.functional.cross_entropy(outputs, labels)

    try:
        with pytest.raises(ZeroDivisionError):
            fit(net(), points(), points(30), epochs=5, batch_size=8, loss=loss)
    finally:
        audience.remove(runs.append)
    assert runs[0].status == "failed"
    assert runs[0].reason == "ZeroDivisionError: on purpose"


def test_nothing_is_recorded_when_model_and_data_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []
    audience.append(runs.append)
    model = net(outputs=5)
    before, state = weights(model), torch.get_rng_state()
    try:
        with pytest.raises(FirstlightError, match="gives 5 scores for each sample; the data has 3 classes"):
            fit(model, points(), points(30))
    finally:
        audience.remove(runs.append)
    assert runs == []
    assert same(weights(model), before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs=0 makes no sense"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"patience": 0}, "patience=0"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"validation": 1.0}, "validation=1.0"),
        ({"schedule": "zigzag"}, "schedule=zigzag is not known"),
        ({"precision": "float16"}, "precision=float16 is not known"),
        ({"precision": True}, "precision=True is not known"),
        ({"memory_format": "sideways"}, "memory_format=sideways is not known"),
        ({"compile": "yes"}, "compile='yes' is not known"),
        ({"compile": 1}, "compile=1 is not known"),
        ({"threads": 0}, "threads=0 makes no sense"),
        ({"threads": "all"}, "threads='all' makes no sense"),
        ({"class_weights": "fair"}, "class_weights=fair is not known"),
        ({"class_weights": [1.0, 2.0]}, "class_weights="),
        ({"device": "meta"}, "The device meta cannot be used"),
        ({"loss": nn.functional.cross_entropy, "label_smoothing": 0.1}, "label_smoothing= and loss= cannot both"),
        ({"loss": nn.functional.cross_entropy, "class_weights": "balanced"}, "class_weights= and loss= cannot both"),
        ({"patience": 2, "validation": 0.0}, "patience=2 needs data"),
        (
            {"loss": lambda outputs, labels: outputs.sum(), "class_weights": "balanced"},
            "class_weights= and loss= cannot",
        ),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FirstlightError) as caught:
        fit(net(), points(), **{"epochs": 1, **options})
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_loader_cannot_be_split() -> None:
    with pytest.raises(FirstlightError, match="cannot keep aside a part of this DataLoader"):
        fit(net(), DataLoader(points(), 8), validation=0.2)


def test_the_saved_record_holds_the_best_weights() -> None:
    model = net()
    run = fit(model, points(), points(30), epochs=2, name="clouds")
    assert run.folder is not None
    tensors, _data = Run.open(run.folder).load_state("best")
    assert same(tensors, weights(model))


def test_tied_weights_stay_tied() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
            self.two.weight = self.one.weight
            self.out = nn.Linear(4, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.out(self.two(self.one(inputs)))

    model = Tied()
    fit(model, points(), points(30), epochs=2)
    assert model.two.weight is model.one.weight


SGD = torch.optim.SGD
NAN = math.nan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": None}, "epochs=None"),
        ({"epochs": "3"}, "epochs='3'"),
        ({"batch_size": None}, "batch_size=None"),
        ({"lr": -0.1}, "lr=-0.1 .*\n.*a finite number from 0"),
        ({"lr": NAN}, "lr=nan"),
        ({"lr": "fast"}, "lr='fast'"),
        ({"weight_decay": -1}, "weight_decay=-1"),
        ({"clip": "a"}, "clip='a'"),
        ({"validation": points(6)}, "a share from 0.0"),
        ({"label_smoothing": "a"}, "label_smoothing='a'"),
        ({"seed": 1.5}, "seed=1.5 .*\n.*a whole number"),
        ({"seed": "a"}, "seed='a'"),
        ({"class_weights": {0: 1.0}}, "class_weights={0: 1.0}"),
        ({"loss": nn.CrossEntropyLoss}, "loss=CrossEntropyLoss is not known"),
        ({"loss": "mse"}, "loss='mse' is not known"),
        ({"optimizer": "adam"}, "optimizer='adam' is not known"),
        ({"optimizer": nn.Linear(2, 2)}, "is not known"),
        ({"optimizer": lambda weights: None}, "is not known"),
        ({"optimizer": torch.optim.LBFGS}, "step\\(\\) needs no closure"),
        ({"schedule": lambda optimizer: None}, "is not known"),
        ({"schedule": torch.optim.lr_scheduler.ReduceLROnPlateau}, "schedule=ReduceLROnPlateau is not known"),
        ({"schedule": torch.optim.lr_scheduler.StepLR(SGD(net().parameters(), lr=0.1), 1)}, "is not known"),
    ],
)
def test_mistakes_in_options_are_told_before_anything_is_trained(options: dict[str, Any], message: str) -> None:
    model = net()
    before = weights(model)
    with pytest.raises(FirstlightError, match=message):
        fit(model, points(), points(), **options)
    assert same(weights(model), before)


def test_numbers_of_numpy_are_numbers() -> None:
    one, other = net(), net()
    fit(one, points(), points(60), epochs=np.int64(1), batch_size=np.int64(32), seed=np.int64(4), lr=np.float32(0.5))
    fit(other, points(), points(60), epochs=1, batch_size=32, seed=4, lr=0.5)
    assert same(weights(one), weights(other))


@pytest.mark.parametrize("model", [nn.Linear, points(), lambda x: x, None])
def test_something_else_where_the_model_belongs(model: Any) -> None:
    for call in (fit, evaluate):
        with pytest.raises(FirstlightError, match="is not a model"):
            call(model, points())


def test_both_datasets_where_one_belongs() -> None:
    for both in ((points(), points()), [points(), points()]):
        with pytest.raises(FirstlightError, match="Take it apart"):
            fit(net(), both)


def test_gradients_that_were_turned_off_around_the_call_are_on_for_it() -> None:
    with torch.no_grad():
        run = fit(net(), points(), points(60), epochs=1)
        assert not torch.is_grad_enabled()
    assert run.status == "finished"


class Cut(nn.Module):
    """Forgets where its result came from."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).detach()


def test_a_model_that_cuts_its_gradients_off() -> None:
    with pytest.raises(FirstlightError, match="cut off from its weights"):
        fit(Cut(), points())


@pytest.mark.parametrize("rest", [33, 1])
def test_a_batch_of_one_for_batchnorm_is_told_in_words(rest: int) -> None:
    with pytest.raises(FirstlightError, match="drop_last=True"):
        fit(net(), DataLoader(points(rest), batch_size=8), points(60), epochs=1)
    with pytest.raises(FirstlightError, match="one sample only"):
        fit(net(), points(), points(60), epochs=1, batch_size=1)


def test_weights_that_the_last_step_broke_are_not_kept() -> None:
    def explode(weights: Any) -> torch.optim.Optimizer:
        return SGD(weights, lr=3e38, momentum=0.0)

    model = nn.Linear(4, 3)
    before = weights(model)
    train = points()
    train.inputs *= 1e10
    with pytest.raises(LossNotFinite, match="the start"):
        fit(model, train, points(60), epochs=1, batch_size=len(train), optimizer=explode, schedule=None)
    assert same(weights(model), before)
