"""Every expression that is shown is computed, and comes to what PyTorch made."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from firstlight.graph import Tracer
from firstlight.graph.arithmetic import attempt, explain

SIDES = st.integers(1, 9)


def explained(compute, *inputs):
    with Tracer() as tracer:
        compute(*inputs)
    return tracer.graph().operations[-1]


def hold(operation):
    """The steps of an operation compute to what they say, and that is what came out."""
    found = attempt(operation)
    assert found is not None, operation
    shape = operation.outputs[0].shape
    assert found.shape is None or found.shape == shape, (found, shape)
    for step in found.steps:
        value = eval(step.expression, {"floor": math.floor, "ceil": math.ceil, "max": max})
        assert value == step.value, step
        if step.side is not None:
            assert shape[step.side] == step.value, (step, shape)
    assert explain(operation), "nothing is said"
    assert str(explain(operation))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(8, 20), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
)
def test_convolution_in_one_to_three_dimensions(count, n, kernel, stride, padding, dilation):
    layer = getattr(nn, f"Conv{count}d")(2, 4, kernel, stride, padding, dilation, groups=2)
    hold(explained(layer, torch.zeros(1, 2, *[n] * count)))
    layer = getattr(nn, f"ConvTranspose{count}d")(2, 4, kernel, stride, padding=0, dilation=dilation, groups=2)
    hold(explained(layer, torch.zeros(1, 2, *[n] * count)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(6, 20), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.booleans())
def test_pooling(count, n, kernel, stride, up, pad):
    padding = kernel // 2 if pad else 0
    x = torch.zeros(1, 2, *[n] * count)
    hold(explained(getattr(nn, f"MaxPool{count}d")(kernel, stride, padding, ceil_mode=up), x))
    hold(explained(getattr(nn, f"AvgPool{count}d")(kernel, stride, padding, ceil_mode=up), x))
    hold(explained(getattr(nn, f"AdaptiveAvgPool{count}d")(kernel), x))
    hold(explained(getattr(nn, f"AdaptiveMaxPool{count}d")(kernel), x))
    hold(explained(getattr(F, f"max_pool{count}d"), x, kernel))


@settings(max_examples=60, deadline=None)
@given(st.lists(SIDES, min_size=2, max_size=4), st.data())
def test_what_only_moves_numbers(shape, data):
    x = torch.zeros(shape)
    dims = len(shape)
    at = data.draw(st.integers(0, dims - 1))
    other = data.draw(st.integers(0, dims - 1))
    order = data.draw(st.permutations(range(dims)))
    for compute in (
        lambda x: x.flatten(min(at, other), max(at, other)),
        lambda x: torch.flatten(x, 1),
        lambda x: x.view(-1),
        lambda x: x.view(shape[0], -1),
        lambda x: x.reshape(x.shape),
        lambda x: x.permute(order),
        lambda x: x.permute(*order),
        lambda x: x.transpose(at, other - dims),
        lambda x: x.movedim(at, other),
        lambda x: x.unsqueeze(at),
        lambda x: x.unsqueeze(-1),
        lambda x: x.squeeze(),
        lambda x: x.squeeze(at),
        lambda x: x.mT,
        lambda x: x.repeat(*[2] * dims),
        lambda x: x.repeat_interleave(3, at),
        lambda x: x.expand(2, *shape),
        lambda x: x.flip(0),
        lambda x: torch.cat([x, x, x], at),
        lambda x: torch.stack([x, x], dim=at),
        lambda x: x.chunk(2, at),
        lambda x: x.split(2, dim=at),
        lambda x: x.unbind(at),
        lambda x: x.select(at, 0),
        lambda x: x.narrow(at, 0, 1),
        lambda x: x.unfold(at, 1, 2),
        lambda x: x.index_select(at, torch.tensor([0, 0, 0])),
        lambda x: x.diagonal(0, 0, 1),
        lambda x: x.unflatten(at, (1, -1)),
        lambda x: F.pad(x, (1, 2)),
        lambda x: F.pad(x, (1, 2, 0, 3)),
        lambda x: x.topk(1, dim=at),
        lambda x: x.gather(at, torch.zeros(shape, dtype=torch.long)),
    ):
        hold(explained(compute, x))


@settings(max_examples=60, deadline=None)
@given(st.lists(SIDES, min_size=1, max_size=4), st.data())
def test_reductions_and_single_numbers(shape, data):
    x = torch.ones(shape)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    keep = data.draw(st.booleans())
    for name in ("sum", "mean", "amax", "amin", "argmax", "logsumexp", "max", "min", "prod", "all", "any", "median"):
        hold(explained(lambda x, name=name: getattr(x, name)(dim, keepdim=keep), x))
    for name in ("sum", "mean", "max", "argmax", "median", "norm"):
        hold(explained(lambda x, name=name: getattr(x, name)(), x))
    for compute in (
        torch.relu,
        F.gelu,
        torch.tanh,
        F.dropout,
        lambda x: x.softmax(dim),
        lambda x: -x,
        lambda x: x.add_(1),
    ):
        hold(explained(compute, x))


@settings(max_examples=100, deadline=None)
@given(st.lists(SIDES, min_size=1, max_size=4), st.data())
def test_broadcasting(shape, data):
    other = [data.draw(st.sampled_from([n, 1])) for n in shape][data.draw(st.integers(0, len(shape))) :]
    a, b = torch.ones(shape), torch.ones(other)
    for compute in (
        torch.add,
        lambda a, b: b * a,
        torch.maximum,
        lambda a, b: a > b,
        lambda a, b: torch.where(a > 0, a, b),
    ):
        hold(explained(compute, a, b))


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_products(a, b, c, d):
    x, y = torch.zeros(a, b), torch.zeros(b, c)
    for compute, *inputs in (
        (torch.matmul, x, y),
        (torch.mm, x, y),
        (torch.matmul, torch.zeros(b), y),
        (torch.matmul, x, torch.zeros(b)),
        (torch.matmul, torch.zeros(d, a, b), y),
        (torch.matmul, torch.zeros(d, 1, a, b), torch.zeros(c, b, 3)),
        (torch.bmm, torch.zeros(d, a, b), torch.zeros(d, b, c)),
        (torch.addmm, torch.zeros(c), x, y),
        (lambda x, y: torch.einsum("ij,jk->ki", x, y), x, y),
        (lambda x, y: torch.einsum("ij,jk", x, y), x, y),
        (F.linear, x, torch.zeros(c, b)),
        (F.linear, torch.zeros(d, a, b), torch.zeros(c, b)),
        (torch.outer, torch.zeros(a), torch.zeros(b)),
        (torch.cdist, torch.zeros(a, b), torch.zeros(c, b)),
        (F.scaled_dot_product_attention, torch.zeros(d, 2, a, b), torch.zeros(d, 2, c, b), torch.zeros(d, 2, c, 5)),
    ):
        hold(explained(compute, *inputs))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_indexing(data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    x = torch.zeros(shape)
    index = []
    for n in shape[: data.draw(st.integers(1, len(shape)))]:
        ends = st.one_of(st.none(), st.integers(-n - 1, n + 1))
        part = data.draw(st.one_of(st.integers(-n, n - 1), st.builds(slice, ends, ends, st.sampled_from([None, 1, 2]))))
        index += [part, *data.draw(st.sampled_from([[], [None]]))]
    if data.draw(st.booleans()) and len(shape) > 1:
        index = [..., data.draw(st.integers(-shape[-1], shape[-1] - 1))]
    operation = explained(lambda x: x[tuple(index)], x)
    found = attempt(operation)
    assert found is not None
    if found:
        hold(operation)
    hold(explained(lambda x: x[torch.tensor([0, 0, 0])], x))
    hold(explained(lambda x: x[x > 0], x))


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize(
    ("compute", "shape"),
    [
        (nn.LSTM(3, 4, 2, bidirectional=True), (5, 2, 3)),
        (nn.LSTM(3, 6, proj_size=2, batch_first=True), (2, 5, 3)),
        (nn.GRU(3, 4, batch_first=True), (2, 5, 3)),
        (nn.RNN(3, 4), (5, 3)),
        (nn.GRUCell(3, 4), (2, 3)),
        (nn.LSTMCell(3, 4), (2, 3)),
        (nn.Bilinear(3, 3, 4), None),
        (nn.PixelShuffle(2), (1, 8, 3, 4)),
        (nn.PixelUnshuffle(2), (1, 2, 6, 4)),
        (nn.Unfold(2, stride=2), (1, 3, 7, 8)),
        (nn.Fold((4, 5), 2), (1, 12, 12)),
        (nn.Upsample(scale_factor=1.5), (1, 2, 5, 6)),
        (nn.Upsample(size=(7, 3)), (1, 2, 5, 6)),
        (nn.BatchNorm2d(2), (3, 2, 4, 4)),
        (nn.LayerNorm(4), (3, 4)),
        (nn.GroupNorm(2, 4), (3, 4, 2)),
        (nn.GLU(), (3, 4)),
        (nn.Conv2d(2, 4, 3, padding="same"), (1, 2, 5, 7)),
        (nn.Conv2d(2, 4, 3, padding="valid"), (1, 2, 5, 7)),
        (nn.Conv2d(2, 4, 3), (2, 5, 7)),
        (nn.Flatten(), (2, 16, 5, 5)),
        (nn.Softmax(1), (2, 3)),
        (lambda x: torch.hstack([x, x]), (2, 3)),
        (lambda x: torch.vstack([x, x]), (2, 3)),
        (lambda x: F.one_hot(x.long(), 4), (2, 3)),
        (lambda x: F.cosine_similarity(x, x), (2, 3)),
        (lambda x: torch.arange(5), (2,)),
        (lambda x: torch.zeros(3, 4), (2,)),
        (lambda x: torch.full((3, 4), 1.0), (2,)),
        (lambda x: x.var(1), (2, 3)),
        (lambda x: x.std(dim=(0, 1), keepdim=True), (2, 3, 4)),
    ],
)
def test_layers(compute, shape):
    hold(explained(compute, *([torch.zeros(shape)] if shape else [torch.zeros(2, 3), torch.zeros(2, 3)])))


def test_embedding_attention_and_losses():
    hold(explained(nn.Embedding(10, 4), torch.zeros(2, 5, dtype=torch.long)))
    attention = nn.MultiheadAttention(8, 2)
    hold(explained(lambda q, k: F.multi_head_attention_forward(
        q, k, k, 8, 2, attention.in_proj_weight, attention.in_proj_bias, None, None, False, 0.0,
        attention.out_proj.weight, attention.out_proj.bias), torch.zeros(5, 3, 8), torch.zeros(7, 3, 8)))  # fmt: skip
    scores, labels = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    found = hold(explained(F.cross_entropy, scores, labels))
    assert found.steps[0].value == 4
    hold(explained(lambda a, b: F.cross_entropy(a, b, reduction="none"), scores, labels))
    hold(explained(F.cross_entropy, torch.zeros(4, 3, 5, 5), torch.zeros(4, 5, 5, dtype=torch.long)))
    hold(explained(F.mse_loss, scores, scores))
    hold(explained(lambda a, b: F.l1_loss(a, b, reduction="sum"), scores, scores))
    hold(explained(F.binary_cross_entropy_with_logits, scores, scores))


def test_the_famous_numbers():
    picture = torch.zeros(1, 3, 32, 32)
    assert "(32 + 2*0 - 5) / 1 + 1 = 28" in str(explain(explained(nn.Conv2d(3, 6, 5), picture)))
    assert "28 / 2 = 14" in str(explain(explained(nn.MaxPool2d(2), torch.zeros(1, 6, 28, 28))))
    assert "16 * 5 * 5 = 400" in str(explain(explained(nn.Flatten(), torch.zeros(1, 16, 5, 5))))


def test_an_unknown_operation_says_nothing():
    operation = explained(torch.linalg.svdvals, torch.eye(3))
    assert not explain(operation)
    assert attempt(operation) is None


def test_nested_tensors_are_left_alone():
    with Tracer() as tracer:
        nested = torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(4, 3)], layout=torch.jagged)
        nn.Linear(3, 2)(nested)
    assert [operation.name for operation in tracer.graph()][-1] == "linear"
    assert not explain(tracer.graph().operations[-1])
