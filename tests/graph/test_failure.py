"""A forward that fails: what is said, and that doing what is said makes it work."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from firstlight.errors import FirstlightError
from firstlight.graph import shapes, trace
from firstlight.graph.tracing import watched
from firstlight.train.check import FeaturesMismatch, LayerFailed, NumbersMismatch

NN = {"nn": nn, "torch": torch, "F": F}


class Do(nn.Module):
    """A function as a module."""

    def __init__(self, compute):
        super().__init__()
        self.compute = compute

    def forward(self, *inputs):
        return self.compute(*inputs)


def failed(model, *inputs):
    graph, error = watched(model, inputs, {})
    assert error is not None
    found = graph.shapes()
    assert found.rows[-1].failed
    assert "✗" in repr(found)
    assert "fl-bad" in found.picture().html
    return found.advice


PICTURE = torch.zeros(2, 1, 28, 28)

# A model with a mistake, its input, the change that is said, and the model with that change made, by eval.
LAYERS = [
    (lambda c: nn.Sequential(nn.Flatten(), eval(c or "nn.Linear(400, 10)", NN)), PICTURE, "nn.Linear(784, 10)"),
    (lambda c: nn.Sequential(*eval(f"[{c or 'nn.Linear(784, 10)'}]", NN)), PICTURE, "nn.Flatten(), nn.Linear(784, 10)"),
    (lambda c: nn.Sequential(*eval(f"[{c or 'nn.Linear(5, 10)'}]", NN)), PICTURE, "nn.Flatten(), nn.Linear(784, 10)"),
    (lambda c: eval(c or "nn.Conv2d(3, 8, 3)", NN), PICTURE, "nn.Conv2d(1, 8, 3)"),
    (lambda c: eval(c or "nn.BatchNorm2d(3)", NN), PICTURE, "nn.BatchNorm2d(1)"),
    (lambda c: eval(c or "nn.BatchNorm1d(4)", NN), torch.zeros(2, 5), "nn.BatchNorm1d(5)"),
    (lambda c: eval(c or "nn.BatchNorm2d(5)", NN), torch.zeros(2, 5), "nn.BatchNorm1d(5)"),
    (lambda c: eval(c or "nn.LayerNorm(4)", NN), torch.zeros(2, 5), "nn.LayerNorm(5)"),
    (lambda c: eval(c or "nn.GroupNorm(2, 4)", NN), torch.zeros(2, 6, 3), "nn.GroupNorm(2, 6)"),
    (lambda c: eval(c or "nn.LSTM(3, 4)", NN), torch.zeros(5, 2, 6), "nn.LSTM(6, 4)"),
    (lambda c: eval(c or "nn.GRU(3, 4, batch_first=True)", NN), torch.zeros(5, 2, 6), "nn.GRU(6, 4, batch_first=True)"),
    (lambda c: eval(c or "nn.Embedding(5, 4)", NN), torch.tensor([[1, 9]]), "nn.Embedding(10, 4)"),
    (lambda c: nn.Conv2d(1, 4, 5, **eval(f"dict({c or ''})")), torch.zeros(2, 1, 3, 3), "padding=1"),
    (lambda c: nn.MaxPool2d(**eval(f"dict({c or 'kernel_size=4'})")), torch.zeros(2, 1, 3, 3), "kernel_size=3"),
    (lambda c: nn.Sequential(*([eval(c, NN)] if c else []), nn.Conv2d(1, 4, 5)), torch.zeros(2, 784),
     "nn.Unflatten(1, (1, 28, 28))"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "x", "change"), LAYERS)
def test_a_layer_that_does_not_fit(make, x, change):
    assert failed(make(""), x).change == change
    make(change)(x)


# A computation with a mistake: what is said replaces a name, or is called, in the second.
SUMS = [
    (lambda x: nn.Conv2d(3, 4, 3)(x), torch.zeros(2, 8, 8, 3), "x.permute(0, 3, 1, 2)"),
    (lambda x: nn.Conv2d(1, 4, 3)(x), torch.zeros(8, 8), "x[None, None]"),
    (lambda x: nn.Conv2d(1, 4, 3)(x), torch.zeros(5, 8, 8), "x.unsqueeze(1)"),
    (lambda x: nn.Linear(3, 2)(x), torch.zeros(2, 3, dtype=torch.uint8), "x.float() / 255"),
    (lambda x: nn.Linear(3, 2)(x), torch.zeros(2, 3, dtype=torch.float64), "x.float()"),
    (lambda x: nn.Linear(3, 2).double()(x), torch.zeros(2, 3), "x.double()"),
    (lambda x: nn.Linear(3, 2).bfloat16()(x), torch.zeros(2, 3), "x.to(torch.bfloat16)"),
    (lambda x: x.mean(), torch.zeros(2, 3, dtype=torch.long), "x.float()"),
    (lambda x: nn.Embedding(5, 2)(x), torch.zeros(2, 3), "x.long()"),
    (lambda x: nn.Embedding(5, 2)(x), torch.tensor([-1]), "x.clamp(min=0)"),
    (lambda x: x.view(64), torch.zeros(8, 8).T[:, ::1], "x.reshape(64)"),
]


@pytest.mark.parametrize(("compute", "x", "change"), SUMS)
def test_an_input_that_does_not_fit(compute, x, change):
    assert failed(Do(compute), x).change == change
    compute(eval(change, NN | {"x": x}))


PAIRS = [
    (lambda a, b: a @ b, (2, 3), (4, 3), "b", "other.mT"),
    (lambda a, b: a @ b, (3, 2), (3, 4), "a", "a.mT"),
    (lambda a, b: a + b, (2, 3), (2,), "b", "other.unsqueeze(-1)"),
    (lambda a, b: a * b, (2, 3, 4, 5), (2, 3), "b", "other[(...,) + (None,) * 2]"),
]


@pytest.mark.parametrize(("compute", "first", "second", "which", "change"), PAIRS)
def test_two_tensors_that_do_not_fit(compute, first, second, which, change):
    a, b = torch.zeros(first), torch.zeros(second)
    assert failed(Do(compute), a, b).change == change
    changed = eval(change, {"a": a, "other": b})
    compute(*((changed, b) if which == "a" else (a, changed)))


def test_cat_stack_and_view():
    a, b = torch.zeros(2, 3), torch.zeros(2, 4)
    assert failed(Do(lambda a, b: torch.cat([a, b])), a, b).change == "dim=1"
    torch.cat([a, b], dim=1)
    assert failed(Do(lambda a, b: torch.stack([a, b])), a, b).change == "torch.cat(..., dim=1)"
    assert failed(Do(lambda a, b: torch.cat([a, b])), a, torch.zeros(3)).change == ""
    x = torch.zeros(4, 16)
    for size, change in ((-1, 10), "x.view(4, -1)"), ((2, 16), "x.view(-1, 16)"), ((10, 3), "x.view(4, -1)"):
        assert failed(Do(lambda x, size=size: x.view(size)), x).change == change
        eval(change, {"x": x})


def test_losses_and_labels():
    scores, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])

    def said(labels, compute=F.cross_entropy, scores=scores):
        graph, error = watched(nn.Identity(), (scores,), {}, lambda out: compute(out, labels))
        assert error is not None
        return graph.shapes().advice.change

    for wrong, change in (
        (labels[:, None], "labels.squeeze(1)"),
        (labels.float(), "labels.long()"),
        (labels.int(), "labels.long()"),
        (torch.tensor([0, 1, 2, -1]), "labels.clamp(min=0)"),
    ):
        assert said(wrong) == change
        F.cross_entropy(scores, eval(change, {"labels": wrong}))
    assert said(torch.tensor([0, 1, 2, 3])) == "4 outputs in the last layer, as labels count from 0"
    assert said(torch.zeros(5, dtype=torch.long)) == ""
    binary = F.binary_cross_entropy_with_logits
    for scores_, wrong, change in (
        (torch.zeros(4, 1), torch.zeros(4), "labels.unsqueeze(-1)"),
        (torch.zeros(4, 1), labels, "labels.unsqueeze(-1).float()"),
        (torch.zeros(4), torch.zeros(4, 1), "labels.squeeze(-1)"),
    ):
        assert said(wrong, binary, scores_) == change
        binary(scores_, eval(change, {"labels": wrong}))


def test_one_sample_without_its_batch():
    model = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Flatten(0), nn.Linear(4 * 24 * 24, 10))
    model[1].start_dim = 1
    assert "x.unsqueeze(0)" in failed(model, torch.zeros(1, 28, 28)).change
    model(torch.zeros(1, 28, 28).unsqueeze(0))


def test_a_batch_of_one_in_training():
    model = nn.BatchNorm1d(3)
    assert failed(model, torch.zeros(1, 3)).change == "model.eval()"
    trace(model.eval(), torch.zeros(1, 3))


def test_trace_raises_what_training_would_say():
    with pytest.raises(FeaturesMismatch, match=r"1 \(Linear\) expects 400 in_features, but gets 784") as caught:
        trace(nn.Sequential(nn.Flatten(), nn.Linear(400, 10)), PICTURE)
    assert [operation.name for operation in caught.value.graph] == ["flatten"]
    assert caught.value.graph.failed.name == "linear"
    assert "Write nn.Linear(784, 10)" in str(caught.value)
    with pytest.raises(NumbersMismatch, match="float32, and what reaches it is uint8"):
        trace(nn.Linear(3, 2), torch.zeros(2, 3, dtype=torch.uint8))
    with pytest.raises(LayerFailed, match="PyTorch says"):
        trace(Do(lambda x: torch.linalg.inv(x)), torch.zeros(2, 3))
    with pytest.raises(FirstlightError, match=r"matmul failed in Do"):
        trace(Do(lambda a, b: a @ b), torch.zeros(2, 3), torch.zeros(4, 3))


def test_what_has_nothing_to_do_with_tensors_is_left_alone():
    with pytest.raises(KeyError, match="nothing"):
        trace(Do(lambda x: {}["nothing"]), PICTURE)
    with pytest.raises(KeyboardInterrupt):
        trace(Do(lambda x: (_ for _ in ()).throw(KeyboardInterrupt)), PICTURE)
    with pytest.raises(FirstlightError, match="not a model"):
        trace(lambda x: x, PICTURE)


def test_a_failure_that_the_model_catches_is_none():
    def forward(x):
        try:
            x @ x
        except RuntimeError:
            return x @ x.mT

    graph = trace(Do(forward), torch.zeros(2, 3))
    assert graph.failed is None
    assert [operation.name for operation in graph] == ["mT", "matmul"]


def test_shapes_shows_and_does_not_raise(capsys):
    shapes(nn.Sequential(nn.Flatten(), nn.Linear(400, 10)), PICTURE)
    out = capsys.readouterr().out
    assert "side 1: 1 * 28 * 28 = 784" in out
    assert "would fit: nn.Linear(784, 10)" in out
    shapes(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), PICTURE, loss=lambda out: out.sum())
    out = capsys.readouterr().out
    assert "7,850" in out
    assert "✗" not in out
