"""How a step computes is measured on a copy, decided by the numbers, and remembered."""

import json
import math
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from firstlight import compat
from firstlight.data.dataset import Dataset
from firstlight.train import fit, plan
from firstlight.train.feed import Feed
from firstlight.train.plan import Cache, StepPlan, Trial, _decide, attempt, cache_file, choose_step
from firstlight.train.world import World

CPU = torch.device("cpu")
PLAIN = StepPlan()
LAST = StepPlan(torch.float32, torch.channels_last)
SHORT = StepPlan(torch.bfloat16, torch.channels_last)
COMPILED = StepPlan(torch.bfloat16, torch.channels_last, compile=True)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.3)
        self.out = nn.Linear(8 * 36, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.out(self.drop(self.norm(self.conv(inputs)).relu()).flatten(1))


def pictures(count: int = 200) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    inputs = torch.randn(count, 3, 8, 8, generator=generator) + labels.view(-1, 1, 1, 1)
    return Dataset(inputs, labels, ("a", "b", "c"), name="noise")


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def ask(model: nn.Module, feed: Feed, **options: Any) -> StepPlan:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    feed.outputs = 3  # what check() finds
    return choose_step(model, feed, nn.CrossEntropyLoss(), optimizer, **{"steps_left": 10**6, **options})


def entries() -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = json.loads(cache_file().read_text("utf-8"))
    return found


def test_measuring_leaves_no_trace() -> None:
    model = net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    feed = Feed(pictures(), 64, CPU, shuffle=True, augment="flip")
    random = torch.get_rng_state()
    ask(model, feed)
    assert torch.equal(torch.get_rng_state(), random)
    order = next(iter(feed))[1]
    torch.set_rng_state(random)
    assert torch.equal(next(iter(Feed(pictures(), 64, CPU, shuffle=True, augment="flip")))[1], order)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(weight.grad is None and weight.is_contiguous() for weight in model.parameters())
    assert [module.training for module in model.modules()] == modes


def test_what_is_asked_for_is_taken_and_nothing_measured() -> None:
    feed = Feed(pictures(), 64, CPU)
    asked = {"precision": "bfloat16", "memory_format": "channels_last", "compile": False}
    assert ask(net(), feed, **asked) == SHORT
    asked = {"precision": "float32", "memory_format": "contiguous", "compile": True}
    assert ask(net(), feed, **asked) == StepPlan(compile=True)
    assert not cache_file().exists()


@pytest.mark.parametrize("steps", [None, 1, plan.FEWEST_STEPS - 1])
def test_a_short_training_computes_plainly_and_measures_nothing(steps: int | None) -> None:
    def never(outputs: Tensor, labels: Tensor) -> Tensor:
        raise AssertionError("measured")

    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    feed = Feed(pictures(), 64, CPU)
    assert choose_step(model, feed, never, optimizer, steps_left=steps) == PLAIN
    assert (
        choose_step(model, feed, never, optimizer, precision="bfloat16", steps_left=steps).precision == torch.bfloat16
    )


def test_a_loss_without_classes_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "has_bfloat16", lambda device: True)
    feed = Feed(pictures(), 64, CPU)
    chosen = choose_step(
        net(),
        feed,
        nn.MSELoss(),
        torch.optim.SGD(net().parameters(), lr=0.1),
        steps_left=10**6,
        memory_format="contiguous",
        compile=False,
    )
    assert feed.outputs is None
    assert chosen == PLAIN


def test_a_training_of_little_time_measures_one_way_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHORTEST_S", 600.0)  # however busy the machine
    assert ask(net(), Feed(pictures(), 64, CPU), steps_left=plan.FEWEST_STEPS) == PLAIN
    (numbers,) = entries().values()
    assert list(numbers) == [PLAIN.name]


def test_every_open_way_is_measured_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(plan, "can_compile", lambda: False)
    first = ask(net(), Feed(pictures(), 64, CPU))
    (numbers,) = entries().values()
    assert set(numbers) == {PLAIN.name, LAST.name, SHORT.name}
    seconds = [value for value in numbers.values() if value is not None]
    assert all(0 < value < 5 for value in seconds)

    def never(*_given: Any, **_more: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(plan, "attempt", never)
    assert ask(net(), Feed(pictures(), 64, CPU)) == first
    Cache._here.clear()  # as another process does
    assert ask(net(), Feed(pictures(), 64, CPU)) == first
    with pytest.raises(AssertionError, match="measured again"):  # another batch is another question
        ask(net(), Feed(pictures(), 32, CPU))


NUMBERS = {PLAIN.name: 1.0, LAST.name: 0.9, SHORT.name: 0.5}
WAYS = [PLAIN, LAST, SHORT]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (NUMBERS, SHORT),
        ({**NUMBERS, SHORT.name: 0.8}, LAST),  # not clearly quicker
        ({**NUMBERS, SHORT.name: None}, LAST),  # fails, or computes something else
        ({**NUMBERS, SHORT.name: None, LAST.name: 0.99}, PLAIN),
        ({**NUMBERS, PLAIN.name: None}, PLAIN),
        ({PLAIN.name: 0.9e-3}, PLAIN),  # less than a second in all
        ({PLAIN.name: 1.0}, [LAST.name, SHORT.name]),
        ({}, [PLAIN.name]),
    ],
)
def test_the_numbers_decide(numbers: dict[str, float | None], expected: Any) -> None:
    assert _decide(WAYS, numbers, 1000, may_compile=False) == expected


@pytest.mark.parametrize(
    ("steps", "took", "first", "expected"),
    [
        (1000, None, None, SHORT),  # 500 s left: not even tried
        (10_000, None, None, [COMPILED.name]),
        (10_000, 0.4, 60.0, COMPILED),  # 1000 s saved
        (10_000, 0.48, 60.0, SHORT),  # hardly quicker
        (10_000, 0.4, 600.0, SHORT),  # compiling costs more than it saves
    ],
)
def test_compiling_has_to_pay(
    monkeypatch: pytest.MonkeyPatch, steps: int, took: float | None, first: float | None, expected: Any
) -> None:
    monkeypatch.setattr(plan, "can_compile", lambda: True)
    numbers: dict[str, float | None] = dict(NUMBERS)
    if took is not None:
        numbers |= {COMPILED.name: took, COMPILED.name + " first": first}
    assert _decide(WAYS, numbers, steps, may_compile=True) == expected
    assert _decide(WAYS, numbers, steps, may_compile=False) == SHORT
    monkeypatch.setattr(plan, "can_compile", lambda: False)
    assert _decide(WAYS, numbers, steps, may_compile=True) == SHORT


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not plan.can_compile()


class Fine(nn.Module):
    """Tells classes by differences of one in numbers around 4000; bfloat16 knows 4000 and 4016 only."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs @ torch.eye(4) - 4000)


def test_bfloat16_is_refused_where_its_losses_differ() -> None:
    torch.manual_seed(0)
    labels = torch.arange(96) % 3
    noise = torch.randn(96, 4)
    for model, inputs, agrees in ((Fine(), 4000 + noise, False), (nn.Linear(4, 3), noise, True)):
        wide, narrow = (
            attempt(model, (inputs, labels), nn.functional.cross_entropy, CPU, StepPlan(precision))
            for precision in (torch.float32, torch.bfloat16)
        )
        assert wide is not None
        assert narrow is not None
        assert len(wide.losses) == len(narrow.losses) == 3
        assert narrow.agrees(wide) is agrees
        differences = [abs(a - b) / b for a, b in zip(narrow.losses, wide.losses, strict=True)]
        assert (max(differences) <= plan.LOSS_BOUND) is agrees


def test_the_bounds_of_agreement() -> None:
    wide = Trial(1.0, [1.0, 2.0], [torch.tensor([3.0, 4.0])])
    assert Trial(1.0, [1.019, 2.0], [torch.tensor([3.0, 5.2])]).agrees(wide)
    assert not Trial(1.0, [1.0, 2.05], [torch.tensor([3.0, 4.0])]).agrees(wide)
    assert not Trial(1.0, [1.0, 2.0], [torch.tensor([3.0, 5.3])]).agrees(wide)
    assert not Trial(1.0, [1.0, math.nan], [torch.tensor([3.0, 4.0])]).agrees(wide)
    assert not Trial(1.0, [1.0, 2.0], [torch.tensor([3.0, math.nan])]).agrees(wide)


def test_dropout_does_not_stand_in_the_way_of_agreement() -> None:
    batch = (pictures().inputs[:128], pictures().labels[:128])
    assert isinstance(batch[0], Tensor)
    wide = attempt(net(), batch, nn.functional.cross_entropy, CPU, PLAIN)
    narrow = attempt(net(), batch, nn.functional.cross_entropy, CPU, SHORT)
    assert wide is not None
    assert narrow is not None
    assert narrow.agrees(wide)


class Views(Net):
    """Asks for a view that channels last cannot give."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.out(self.norm(self.conv(inputs)).relu().view(len(inputs), -1))


class ViewsWhenJudged(Net):
    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.norm(self.conv(inputs)).relu()
        return self.out(hidden.flatten(1) if self.training else hidden.view(len(inputs), -1))


@pytest.mark.parametrize("kind", [Views, ViewsWhenJudged])
def test_a_model_that_channels_last_breaks_computes_without(
    monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]
) -> None:
    monkeypatch.setattr(plan, "has_bfloat16", lambda device: False)
    monkeypatch.setattr(plan, "can_compile", lambda: False)
    assert ask(kind(), Feed(pictures(), 64, CPU)) == PLAIN
    (numbers,) = entries().values()
    assert numbers[LAST.name] is None


def test_a_model_that_cannot_be_copied_computes_plainly() -> None:
    class Alone(Net):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("one of a kind")

    assert ask(Alone(), Feed(pictures(), 64, CPU)) == PLAIN


def test_only_pictures_and_convolutions_have_a_memory_format() -> None:
    kinds = [(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), 1), (net(), 2)]
    for model, ways in kinds:
        found = plan._open(model, torch.zeros(4, 3, 8, 8), CPU, "float32", "auto")
        assert len(found) == ways
    assert len(plan._open(net().double(), torch.zeros(4, 3, 8, 8), CPU, "auto", "contiguous")) == 1


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"KEY": 3}', '{"KEY": {"float32 contiguous": "quick"}}', "\udcff", '{"KEY": {"a": NaN}}'],
)
def test_a_broken_file_counts_as_empty(content: str) -> None:
    file = cache_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(content.replace("KEY", "one").encode("utf-8", "surrogateescape"))
    cache = Cache("one")
    assert cache.read() == {}
    cache.write({"float32 contiguous": 0.5})
    Cache._here.clear()
    assert Cache("one").read() == {"float32 contiguous": 0.5}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_cannot_be_written_is_no_trouble() -> None:
    file = cache_file()
    file.parent.mkdir(parents=True)
    file.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        Cache("one").write({"float32 contiguous": 0.5})
    finally:
        file.parent.chmod(stat.S_IRWXU)
    assert not file.exists()
    assert Cache("one").read() == {"float32 contiguous": 0.5}  # in this process


def test_a_file_where_the_folder_should_be_is_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("FIRSTLIGHT_CACHE", str(blocked))
    Cache("one").write({"float32 contiguous": 0.5})
    assert Cache("one").read() == {"float32 contiguous": 0.5}


def test_ctrl_c_while_the_file_is_written_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", pressed)
    with pytest.raises(KeyboardInterrupt):
        Cache("one").write({"plain": 1.0})
    assert list(cache_file().parent.iterdir()) == []


def test_the_file_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MOST_ENTRIES", 3)
    for number in range(5):
        Cache(f"model {number}").write({"float32 contiguous": 0.5})
    assert list(entries()) == ["model 2", "model 3", "model 4"]


def test_another_forward_under_the_same_name_is_another_model() -> None:
    def key(forward: Any) -> str:
        model = type("Mine", (Net,), {"forward": forward})()
        batch = (torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.int64))
        return plan._key(model, batch, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters()), CPU, World())

    assert key(Net.forward) == key(Net.forward)
    assert key(Net.forward) != key(Views.forward)


def test_a_seed_repeats_every_bit_whatever_is_chosen() -> None:
    def once() -> tuple[list[float], dict[str, Tensor], Any]:
        model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 3))
        torch.manual_seed(0)
        for weight in model.parameters():
            nn.init.normal_(weight, std=0.1)
        run = fit(model, data, data, epochs=30, batch_size=32, seed=3, device="cpu")
        losses = [point.value for point in run.metric("test/loss")]
        return losses, model.state_dict(), run.info

    data = pictures(320)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHORTEST_S", 0.0)
        losses, weights, info = once()
        again, same, told = once()
        Cache._here.clear()
        third, *_rest = once()
    assert losses == again == third
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    chosen = ("precision", "memory_format", "compile")
    assert [info[key] for key in chosen] == [told[key] for key in chosen]


def test_torch_still_tells_what_the_cpu_can() -> None:
    """The canary of `compat.cpu_bfloat16`."""
    assert hasattr(torch.cpu, "_is_avx512_bf16_supported") or hasattr(torch.cpu, "_is_amx_tile_supported")
    assert compat.cpu_bfloat16() in (True, False, None)
    flags = Path("/proc/cpuinfo")
    if flags.exists() and compat.cpu_bfloat16() is not None:
        words = flags.read_text().split()
        assert compat.cpu_bfloat16() == ("avx512_bf16" in words or "amx_tile" in words)


def test_a_trial_draws_from_no_generator_of_the_learners() -> None:
    class Noisy(Net):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs + torch.randn_like(inputs))

    batch = torch.randn(16, 3, 8, 8), torch.arange(16) % 3
    before = torch.get_rng_state()
    assert attempt(Noisy(), batch, nn.CrossEntropyLoss(), CPU, PLAIN) is not None
    inside = torch.get_rng_state()
    torch.set_rng_state(before)
    Noisy()  # its first weights are drawn, and nothing else
    assert torch.equal(torch.get_rng_state(), inside)


def test_a_step_inside_another_autocast_sees_the_new_weights() -> None:
    """torch keeps the weights that it cast until the outermost block ends, and `fit` stands in one."""
    layer, inputs = nn.Linear(4, 2), torch.ones(1, 4)
    with torch.autocast("cpu", enabled=False):
        with SHORT.autocast(CPU):
            layer(inputs)
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.fill_(3)
        with SHORT.autocast(CPU):
            assert layer(inputs).tolist() == [[3, 3]]
