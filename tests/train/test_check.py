"""The look before training: it finds what does not fit, says it in three sentences, and leaves no trace."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.train.check import check
from firstlight.train.feed import Feed

CPU = torch.device("cpu")


def pictures(channels: int = 1, classes: int = 10) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, channels, 28, 28, generator=generator)
    return Dataset(inputs, torch.arange(20) % classes, [str(k) for k in range(classes)], name="noise")


def feed(source: Any = None) -> Feed:
    return Feed(pictures() if source is None else source, 8, CPU, shuffle=True)


def lenet(flat: int = 16 * 4 * 4, outputs: int = 10, channels: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(flat, outputs),
    )  # fmt: skip


def test_what_fits_passes_and_leaves_no_trace() -> None:
    model = lenet()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    buffers = dict(model.named_buffers())
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    facts = check(model, feed())
    assert facts.outputs == 10
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(buffer is buffers[name] for name, buffer in model.named_buffers())
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_16_5_5_question() -> None:
    with pytest.raises(FirstlightError) as caught:
        check(lenet(flat=16 * 5 * 5), feed())
    text = str(caught.value)
    assert "The layer 9 (Linear) expects 400 in_features, but gets 256: its input has the shape (4, 256)" in text
    assert "One sample is (1, 28, 28)" in text
    assert "Write nn.Linear(256, 10)." in text


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (nn.Linear(784, 10), ["expects 784 in_features", "(4, 1, 28, 28)", "nn.Flatten(), nn.Linear(784, 10)"]),
        (nn.Linear(100, 10), ["expects 100 in_features", "nn.Flatten(), nn.Linear(784, 10)"]),
        (lenet(channels=3), ["The layer 0 (Conv2d) expects 3 in_channels", "but gets 1", "nn.Conv2d(1, 6, ...)"]),
        (nn.Sequential(nn.BatchNorm2d(3), lenet()), ["0 (BatchNorm2d) expects 3 num_features", "nn.BatchNorm2d(1)"]),
        (lenet(outputs=7), ["gives 7 scores", "10 classes", "nn.Linear(..., 10)"]),
        (lenet(outputs=1), ["(4, 1)", "one row of 10 scores"]),
        (nn.Sequential(nn.Conv2d(1, 10, 3)), ["(4, 10, 26, 26)", "one row of 10 scores"]),
        (nn.Sequential(nn.Flatten(0), nn.Linear(4 * 784, 10)), ["returns (10,)"]),
        (nn.Sequential(nn.Unflatten(1, (2, 3))), ["failed in 0 (Unflatten)", "PyTorch says"]),
        (nn.Flatten(), ["784 scores"]),
        (lenet().requires_grad_(False), ["no weights to train"]),
    ],
)
def test_what_does_not_fit(model: nn.Module, parts: list[str]) -> None:
    with pytest.raises(FirstlightError) as caught:
        check(model, feed())
    text = str(caught.value)
    assert all(part in text for part in parts), text
    assert len(text.splitlines()) == 3


class Own(nn.Module):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.inner = nn.Linear(784, 10)
        self.answer = answer

    def forward(self, inputs: Tensor) -> Any:
        return self.answer(self.inner(inputs.flatten(1)))


def test_models_of_ones_own() -> None:
    with pytest.raises(FirstlightError, match="returns tuple"):
        check(Own(lambda scores: (scores, scores)), feed())
    with pytest.raises(FirstlightError, match="failed in Own") as caught:
        check(Own(lambda scores: scores.view(-1, 7)), feed())
    assert isinstance(caught.value.__cause__, RuntimeError)


class Counter(nn.Module):
    """Buffers that change in place and by assignment."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("mean", torch.zeros(784))
        self.linear = nn.Linear(784, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        self.mean = 0.9 * self.mean + inputs.flatten(1).mean(0)
        return self.linear(inputs.flatten(1))


def test_buffers_of_every_kind_are_put_back() -> None:
    model = Counter()
    calls, mean = model.calls, model.mean
    check(model, feed())
    assert model.calls is calls
    assert int(calls) == 0
    assert model.mean is mean
    assert not mean.any()


def test_lazy_layers_take_their_shape() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))
    facts = check(model, feed())
    assert facts.parameters == 4 * 9 + 4 + 8 + (4 * 26 * 26 * 10 + 10)
    assert isinstance(model[3], nn.Linear)
    assert float(model[1].running_mean.abs().sum()) >= 0


@pytest.mark.parametrize("layer", [nn.Linear(5, 2), nn.Sequential(nn.Linear(5, 2))])
def test_numbers_of_different_kinds(layer: nn.Module) -> None:
    data = TensorDataset(torch.randint(0, 256, (6, 5), dtype=torch.uint8), torch.zeros(6, dtype=torch.int64))
    with pytest.raises(FirstlightError, match=r"are float32, and what reaches it is uint8"):
        check(layer, feed(data))
    exact = TensorDataset(torch.randn(6, 5), torch.zeros(6, dtype=torch.int64))
    with pytest.raises(FirstlightError, match=r"are float64, and what reaches it is float32"):
        check(nn.Linear(5, 2).double(), feed(exact))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int16])
def test_labels_of_every_whole_number_type(dtype: torch.dtype) -> None:
    data = TensorDataset(torch.randn(6, 5), torch.arange(6, dtype=dtype) % 2)
    assert check(nn.Linear(5, 2), feed(data)).outputs == 2
    assert next(iter(feed(data)))[1].dtype == torch.int64


def test_labels() -> None:
    inputs = torch.randn(6, 5)
    fractions = TensorDataset(inputs, torch.rand(6))
    with pytest.raises(FirstlightError, match="labels are float32"):
        check(nn.Linear(5, 2), feed(fractions))
    rows = TensorDataset(inputs, torch.ones(6, 2, dtype=torch.int64))
    with pytest.raises(FirstlightError, match="labels are int64 with the shape"):
        check(nn.Linear(5, 2), feed(rows))
    negative = TensorDataset(inputs, torch.full((6,), -1))
    with pytest.raises(FirstlightError, match="A label is -1"):
        check(nn.Linear(5, 2), feed(negative))
    high = TensorDataset(inputs, torch.full((6,), 2))
    with pytest.raises(FirstlightError, match="give the last layer 3 outputs"):
        check(nn.Linear(5, 2), feed(high))
    assert check(nn.Linear(5, 2), feed(fractions), _first).outputs is None


def _first(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs[:, 0] - labels).square().mean()


def test_losses_of_ones_own() -> None:
    data = TensorDataset(torch.randn(6, 5), torch.zeros(6, dtype=torch.int64))
    model = nn.Linear(5, 2)
    assert check(model, feed(data), nn.CrossEntropyLoss()).outputs == 2
    assert check(model, feed(data), lambda outputs, labels: nn.functional.cross_entropy(outputs, labels)).outputs == 2
    with pytest.raises(FirstlightError, match="The loss is float"):
        check(model, feed(data), lambda outputs, labels: outputs.sum().item())
    with pytest.raises(FirstlightError, match=r"The loss is \(4, 2\)"):
        check(model, feed(data), lambda outputs, labels: outputs)
    with pytest.raises(FirstlightError, match=r"The loss is \(\)"):
        check(model, feed(data), lambda outputs, labels: outputs.detach().sum())
    with pytest.raises(FirstlightError, match=r"The loss is \(4,\)"):
        check(model, feed(data), nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(
        FirstlightError, match=r"outputs of the shape \(4, 1\) and labels of the shape \(4,\) \(int64\)"
    ):
        check(nn.Linear(5, 1), feed(data), nn.BCEWithLogitsLoss())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("fashion_mnist", "from this str"),
        (torch.zeros(3), "from this Tensor"),
        ((torch.zeros(3, 2), torch.zeros(3)), "from this tuple"),
        (7, "from this int"),
        (iter([]), "from this list_iterator"),
        ([], "not one sample in the train split"),
        ([torch.zeros(3, 784)], "A batch is a Tensor"),
        ([(torch.zeros(3, 784), [1, 2, 3])], "A batch is a tuple(Tensor, list)"),
        ([{"image": torch.zeros(3, 784), "label": torch.zeros(3)}], "A batch is a dict"),
        (DataLoader(TensorDataset(torch.zeros(3, 784)), 2), "A batch is a list(Tensor)"),
    ],
)
def test_data_of_other_kinds(source: Any, message: str) -> None:
    with pytest.raises(FirstlightError) as caught:
        check(nn.Linear(784, 10), feed(source))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3
