"""What a step will hold, foretold from fakes, is what the profiler sees it take; nothing of the learner's changes."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint

import firstlight as fl
from firstlight.errors import FirstlightError
from firstlight.graph import CannotForecast, Forecast, NeedsClosure


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.convolution(x)))


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.blocks = nn.Conv2d(3, 32, 3, padding=1), nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(x.mean((2, 3)))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(500, 32), nn.LSTM(32, 64, 2, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0][:, -1])


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layers(self.embedding(tokens)).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(768, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def cnn() -> nn.Module:
    layers = [nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, Block(), nn.Flatten(), nn.Linear(32 * 64, 10))


def pictures(count: int = 16) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 3, 16, 16), torch.arange(count) % 10


def tokens() -> tuple[Tensor, Tensor]:
    return torch.randint(500, (16, 30)), torch.arange(16) % 10


def measured(model: nn.Module, batch: tuple[Tensor, Tensor], make: Any) -> int:
    def steps() -> None:
        if make is None:
            with torch.no_grad():
                model.eval()(batch[0])
            return
        optimizer = make(model.train().parameters())
        for _step in range(2):
            functional.cross_entropy(model(batch[0]), batch[1]).backward()
            optimizer.step()
            optimizer.zero_grad()

    steps()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        steps()
    events = [one for one in seen.profiler.kineto_results.events() if one.name() == "[memory]"]
    live = most = 0
    for one in sorted(events, key=lambda event: event.start_ns()):
        live += one.nbytes()
        most = max(most, live)
    return most


def adam(weights: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(weights)


def fused(weights: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(weights, fused=True, amsgrad=True)


def momentum(weights: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(weights, lr=0.1, momentum=0.9, foreach=True)


@pytest.mark.parametrize("make", [None, adam, fused, momentum])
@pytest.mark.parametrize(
    ("model", "batch"),
    [(mlp, pictures), (cnn, pictures), (Checkpointed, pictures), (Words, tokens), (Attending, tokens)],
)
def test_foretold_is_what_is_measured(model: Any, batch: Any, make: Any) -> None:
    built, given = model(), batch()
    found = fl.memory(built, given, make, train=make is not None, budget=0)
    peak = measured(built, given, make)
    assert abs(found.added - peak) < 0.1 * peak, (found.added, peak, found.where, found.operation)


def test_a_linear_layer_by_hand() -> None:
    model = nn.Linear(1000, 500, bias=False)
    batch = torch.randn(64, 1000), torch.zeros(64, dtype=torch.long)
    found = fl.memory(model, batch, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    size = 4 * 1000 * 500
    assert (found.parameters, found.gradients, found.optimizer, found.buffers) == (size, size, size, 0)
    assert found.batch == 64 * 1000 * 4 + 64 * 8
    # Of the forward pass, log-softmax stays, and the loss with the number that it was divided by.
    assert found.activations == 64 * 500 * 4 + 2 * 4
    assert found.peak == found.parameters + found.batch + found.added
    without = fl.memory(model, batch)
    assert (without.optimizer, without.gradients, without.phase) == (0, size, "backward")
    assert fl.memory(model, batch, train=False).gradients == 0


def test_each_piece_of_memory_counts_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(100, 16)
            self.head = nn.Linear(16, 100, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            x = self.embedding(x).sigmoid()
            return self.head(x.view(-1, 16)) + 0 * x.view(-1, 16).exp().sum()

    found = fl.memory(Twice(), (torch.zeros(8, 4).long(), torch.zeros(32).long()), adam)
    assert found.parameters == found.gradients == 4 * 1600
    saved = {row.path: row.activations for row in found.modules}
    assert saved["embedding"] == 0
    assert found.activations < 4 * (32 * 100 + 4 * 32 * 16)


def test_what_modules_hold_adds_up() -> None:
    found = fl.memory(cnn(), pictures(), adam)
    assert sum(row.activations for row in found.modules) == found.activations
    assert sum(row.optimizer for row in found.modules) == found.optimizer
    assert sum(row.parameters for row in found.modules) == found.parameters + found.buffers
    assert found.phase == "backward"
    assert found.where in {"0", "1", "2", "4", "4.norm", "4.convolution"}


def test_the_largest_batch_fits_and_one_more_does_not() -> None:
    model, budget = cnn(), 50 * 2**20
    largest = fl.memory(model, pictures(), adam, budget=budget).largest_batch
    assert largest is not None
    assert fl.memory(model, pictures(largest), adam).peak <= budget
    assert fl.memory(model, pictures(largest + 1), adam).peak > budget
    assert fl.memory(model, pictures(500), adam, budget=budget).largest_batch == largest
    assert fl.memory(model, pictures(), adam, budget=1000).largest_batch == 0
    free = fl.memory(model, pictures(), adam)
    assert free.budget is not None
    assert (free.largest_batch or 0) > 100


def test_a_batch_size_that_the_model_insists_on() -> None:
    class Sixteen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(768, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.view(16, 768))

    assert fl.memory(Sixteen(), pictures()).largest_batch is None
    normed = nn.Sequential(nn.Flatten(), nn.Linear(768, 10), nn.BatchNorm1d(10))
    assert fl.memory(normed, pictures(), budget=31_500 + 2**15).largest_batch is not None


@pytest.mark.parametrize(
    "model", [cnn(), Words(), Checkpointed(), nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(768, 10))]
)
def test_nothing_changes(model: nn.Module) -> None:
    batch = tokens() if isinstance(model, (Words, Attending)) else pictures()
    optimizer = torch.optim.AdamW(model.parameters())
    functional.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    model.eval()
    before, kept = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    gradients = [weight.grad for weight in model.parameters()]
    copies = [None if one is None else one.clone() for one in gradients]
    versions = [value._version for value in model.state_dict().values()]
    random = torch.get_rng_state()
    found = fl.memory(model, batch, optimizer)
    assert found.optimizer >= 2 * found.parameters
    assert not model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert versions == [value._version for value in model.state_dict().values()]
    assert all(weight.grad is grad for weight, grad in zip(model.parameters(), gradients, strict=True))
    assert all(g is None or torch.equal(g, c) for g, c in zip(gradients, copies, strict=True))
    torch.testing.assert_close(optimizer.state_dict(), kept, rtol=0, atol=0)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_no_parameters_and_no_labels() -> None:
    found = fl.memory(nn.Sequential(nn.Flatten(), nn.ReLU()), torch.randn(4, 3, 8, 8), adam, train=False)
    assert (found.parameters, found.added) == (0, 4 * 192 * 4)
    trained = fl.memory(nn.ReLU(), torch.randn(4, 3))
    assert (trained.gradients, trained.phase) == (0, "forward")


def test_dictionaries_and_several_inputs() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 3)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.inner(a + b)

    class Whole(Both):
        def forward(self, given: dict[str, Tensor]) -> Tensor:
            return super().forward(**given)

    given = {"a": torch.randn(4, 8), "b": torch.randn(4, 8)}
    labels = torch.zeros(4).long()
    sums = {fl.memory(model, (given, labels), adam).added for model in (Both(), Whole())}
    sums.add(fl.memory(Both(), ((given["a"], given["b"]), labels), adam).added)
    assert len(sums) == 1
    assert fl.memory(Both(), given, adam).samples == 4


def test_losses_of_ones_own() -> None:
    model, batch = mlp(), pictures()
    numbers = (batch[0], torch.randn(16, 10))
    own = fl.memory(model, numbers, loss=functional.l1_loss)
    assert own.activations != fl.memory(model, batch).activations
    assert fl.memory(model, numbers).gradients == own.gradients


def test_a_model_without_weights_yet() -> None:
    here = fl.memory(mlp(), pictures(), adam, budget=10**8)
    with torch.device("meta"):
        model = mlp()
    there = fl.memory(model, pictures(), adam, budget=10**8)
    assert (there.peak, there.largest_batch, there.device) == (here.peak, here.largest_batch, "cpu")
    huge = nn.Sequential(nn.Linear(10**6, 10**6, device="meta"))
    assert fl.memory(huge, torch.empty(1, 10**6, device="meta"), adam).parameters > 3 * 10**12
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    assert fl.memory(lazy, pictures(), adam).parameters == 4 * (768 * 10 + 10)
    assert nn.parameter.is_lazy(lazy[1].weight)


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x.flatten(1))
        return x if x.mean() > 0 else -x


class Broken(Deciding):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@pytest.mark.parametrize("model", [Deciding(), Broken()])
def test_what_cannot_be_followed_is_said(model: nn.Module) -> None:
    with pytest.raises(CannotForecast, match="cannot be forecast") as caught:
        fl.memory(model, pictures())
    assert isinstance(caught.value, RuntimeError)
    model(torch.randn(2, 768).view(2, 3, 16, 16)) if type(model) is Deciding else None


def test_what_is_no_model_and_what_needs_a_closure() -> None:
    with pytest.raises(FirstlightError, match="Module"):
        fl.memory("model", pictures())
    model = mlp()
    for optimizer in (torch.optim.LBFGS, torch.optim.LBFGS(model.parameters())):
        with pytest.raises(NeedsClosure):
            fl.memory(model, pictures(), optimizer)


@pytest.mark.parametrize(
    "name", ["Adagrad", "RMSprop", "Adadelta", "NAdam", "RAdam", "Adamax", "Rprop", "ASGD", "Adafactor"]
)
def test_any_optimizer_is_stepped_on_fakes(name: str) -> None:
    model, kind = nn.Linear(100, 50), getattr(torch.optim, name)
    batch = torch.randn(4, 100), torch.zeros(4).long()
    optimizer = kind(model.parameters(), lr=0.01)
    found = fl.memory(model, batch, kind)
    functional.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    kept = {
        v.untyped_storage()._cdata: v.nbytes
        for s in optimizer.state.values()
        for v in s.values()
        if isinstance(v, Tensor)
    }
    assert found.optimizer == sum(kept.values())
    assert fl.memory(model, batch, optimizer).optimizer == found.optimizer


def test_half_precision_of_the_learners() -> None:
    def of_relu() -> int:
        return next(row.activations for row in fl.memory(mlp(), pictures()).modules if row.path == "4")

    whole = of_relu()
    with torch.autocast("cpu", torch.bfloat16):
        assert of_relu() == whole // 2 == 16 * 256 * 2


def test_it_is_read_as_text_and_as_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fl.memory(cnn(), pictures(), adam, budget=10**9)
    text = repr(found)
    assert text.startswith("Memory of a training step on 16 samples, on cpu")
    assert "The largest batch that fits into 1.0 GB: " in text
    assert "Most is held in the backward pass of " in text
    assert "4.convolution (Conv2d)" in text
    page = found.picture().html
    assert page.count("<svg") == len(found.rows())
    assert "<script" not in page
    assert found._repr_mimebundle_()["text/plain"] == text
    for language in ("ja", "ko"):
        monkeypatch.setenv("FIRSTLIGHT_LANG", language)
        assert "Memory" not in repr(found)
        assert not {"parameters", "gradients", "activations"} & set(repr(found).split())


def test_many_modules_are_folded() -> None:
    deep = nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)) for _ in range(30)))
    found = fl.memory(deep, torch.randn(4, 8), adam)
    rows = found.rows()
    assert len(found.modules) > 60
    assert len(rows) <= 40
    assert sum(row.bytes for row in rows) == sum(row.bytes for row in found.modules)
    wide = nn.Sequential(*(nn.Linear(8, 8) for _ in range(100)))
    found = fl.memory(wide, torch.randn(4, 8), adam)
    assert len(found.rows()) == 40
    assert sum(row.bytes for row in found.rows()) == sum(row.bytes for row in found.modules)


def test_a_forecast_is_a_value() -> None:
    assert isinstance(fl.memory(mlp(), pictures()), Forecast)
