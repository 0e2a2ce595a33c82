"""Batches of different lengths: what goes in comes out, models are asked rightly, and nothing about them changes."""

import copy
import io
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from firstlight import FirstlightError, load, nest
from firstlight.train.check import NotAModel
from firstlight.train.nest import (
    BadLayout,
    BadPad,
    BadPer,
    CannotTry,
    NoRows,
    NoSamples,
    NotSamples,
    OutputDiffers,
    SamplesDiffer,
    TakesNoBatch,
    Unclear,
)


def samples(lengths=(5, 2, 9), width=8):
    torch.manual_seed(0)
    return [torch.randn(length, width) for length in lengths]


class Mean(nn.Module):
    """Scores of a whole sample; reads jagged batches and padded ones with a mask."""

    def __init__(self, width=8, classes=3):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, 16), nn.Linear(16, classes)

    def forward(self, x, mask=None):
        x = self.inner(x).relu()
        if x.is_nested:  # PyTorch has no way back from x.mean(dim=1) of a nested tensor
            return self.outer(torch.segment_reduce(x.values(), "mean", offsets=x.offsets()))
        if mask is None:
            return self.outer(x.mean(dim=1))
        return self.outer((x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True))


class MaskedMean(Mean):
    """Reads padded batches only, and insists on a mask that is True where a position is real."""

    def forward(self, x, mask):
        assert not x.is_nested, "padded, please"
        return super().forward(x, mask)


class ByLengths(nn.Module):
    """A recurrent net that is told the lengths."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 4, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class Encoder(nn.Module):
    """PyTorch's own attention, whose mask is True at padding."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, key_padding_mask=None):
        return self.attention(x, x, x, key_padding_mask=key_padding_mask, need_weights=False)[0]


def one_by_one(model, parts, **named):
    return [model(part[None], **named)[0] for part in parts]


@pytest.mark.parametrize("layout", ["jagged", "padded"])
def test_what_goes_in_comes_out(layout):
    parts = samples()
    batch = nest(parts, layout=layout)
    assert batch.layout == layout
    assert len(batch) == 3
    assert batch.lengths.tolist() == [5, 2, 9]
    for found, part in zip(batch.unnest(), parts, strict=True):
        assert torch.equal(found, part)
    for found, part in zip(batch.unnest(batch.values * 2), parts, strict=True):
        assert torch.equal(found, part * 2)


def test_without_a_model_it_is_jagged():
    batch = nest(samples())
    assert batch.layout == "jagged"
    assert batch.values.layout == torch.jagged
    assert batch.mask is None
    assert batch.arguments == {}


def test_the_mask_is_true_where_a_position_is_real():
    batch = nest(samples(), layout="padded", pad=-7)
    assert batch.values.shape == (3, 9, 8)
    assert batch.mask.shape == (3, 9)
    assert batch.mask.dtype == torch.bool
    assert batch.mask.sum(dim=1).tolist() == [5, 2, 9]
    assert bool((batch.values[~batch.mask] == -7).all())
    assert not bool((batch.values[batch.mask] == -7).any())


@pytest.mark.parametrize("layout", ["jagged", "padded"])
def test_gradients_flow_back_to_each_sample(layout):
    parts = [part.requires_grad_() for part in samples()]
    batch = nest(parts, layout=layout)
    sum((row**2).sum() for row in batch.unnest(batch.values)).backward()
    for part in parts:
        assert torch.allclose(part.grad, 2 * part.detach())


@pytest.mark.parametrize(
    ("model", "layout", "arguments"),
    [
        (nn.Linear(8, 3), "jagged", []),
        (Mean(), "jagged", []),
        (nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.LayerNorm(4), nn.Dropout(0.5)), "jagged", []),
        (nn.LSTM(8, 4, batch_first=True), "padded", []),
        (MaskedMean(), "padded", ["mask"]),
        (ByLengths(), "padded", ["lengths"]),
        (Encoder().eval(), "padded", ["key_padding_mask"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_the_form_that_a_model_takes_gives_what_one_by_one_gives(model, layout, arguments):
    parts = samples()
    batch = nest(parts, model)
    assert (batch.layout, list(batch.arguments)) == (layout, arguments)
    assert "one by one" in batch.note
    model.eval()
    outputs = model(batch.values, **batch.arguments)
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    for part, found in zip(parts, batch.unnest(outputs), strict=True):
        alone = nest([part], layout="padded")
        named = {"mask": {"mask": alone.mask}, "lengths": {"lengths": alone.lengths}}.get("".join(arguments), {})
        wanted = model(part[None], **named)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        assert torch.allclose(found, wanted[0], atol=1e-5)


def test_pytorchs_own_mask_is_true_at_padding():
    batch = nest(samples(), Encoder())
    assert torch.equal(batch.arguments["key_padding_mask"], ~batch.mask)
    batch = nest(samples(), MaskedMean())
    assert torch.equal(batch.arguments["mask"], batch.mask)


class NoWayBack(Mean):
    """As one would write it first; PyTorch computes it for nested tensors, but cannot go back."""

    def forward(self, x, mask=None):
        x = self.inner(x).relu()
        if mask is None:
            return self.outer(x.mean(dim=1))
        return self.outer((x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True))


class WrongWayBack(torch.autograd.Function):
    """A function whose gradient is another one for nested tensors."""

    @staticmethod
    def forward(ctx, x):
        ctx.nested = x.is_nested
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (3 if ctx.nested else 2)


class Misled(nn.Linear):
    def forward(self, x):
        return WrongWayBack.apply(super().forward(x))


def test_a_jagged_batch_is_not_taken_where_no_right_gradients_come_back():
    model = NoWayBack()
    try:
        model(nest(samples()).values).sum().backward()
    except RuntimeError:  # so PyTorch 2.13; a later one may know the way
        batch = nest(samples(), model)
        assert (batch.layout, list(batch.arguments)) == ("padded", ["mask"])
        assert "gradients" in batch.note
    else:
        assert nest(samples(), model).layout == "jagged"
    assert nest(samples(), Misled(8, 3)).layout == "padded"
    for quiet in (NoWayBack().requires_grad_(False), Misled(8, 3).requires_grad_(False)):
        assert nest(samples(), quiet).layout == "jagged", "nothing is to be learned"
    with torch.no_grad():
        assert nest(samples(), NoWayBack()).layout == "jagged"


class MaskedSum(nn.Linear):
    """To a mask that is the wrong way round, it says 0 of everything, of one by one too."""

    def forward(self, x, mask):
        assert not x.is_nested
        return (super().forward(x) * mask[..., None]).sum(dim=1)


class MayMask(Mean):
    """With a mask that is the wrong way round it says 0 again; without one, padding misleads it."""

    def forward(self, x, mask=None):
        assert not x.is_nested
        mask = torch.ones(x.shape[:2]) if mask is None else mask.float()
        return (self.inner(x) * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


@pytest.mark.parametrize("model", [MaskedSum(8, 3, bias=False), MayMask()], ids=["must", "may"])
def test_a_mask_is_not_taken_the_wrong_way_round(model):
    batch = nest(samples(), model)
    assert torch.equal(batch.arguments["mask"], batch.mask)
    outputs = model(batch.values, **batch.arguments)
    for part, found in zip(samples(), outputs, strict=True):
        assert torch.allclose(found, model(part[None], mask=torch.ones(1, len(part), dtype=torch.bool))[0], atol=1e-5)


def test_gradients_that_are_rounding_alone_do_not_count():
    class Centred(nn.Module):
        """What is added to all scores alike, softmax takes away again: its gradient is 0 but for rounding."""

        def __init__(self):
            super().__init__()
            self.inner, self.same = nn.Linear(8, 16), nn.Linear(8, 1)

        def forward(self, x):
            return (self.inner(x) + self.same(x)).softmax(dim=-1)

    assert nest(samples(), Centred()).layout == "jagged"
    assert nest([part.bfloat16() for part in samples()], nn.Linear(8, 3).bfloat16()).layout == "jagged"
    assert nest([part.double() for part in samples()], nn.Linear(8, 3).double()).layout == "jagged"


def test_token_numbers_are_samples_too():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    batch = nest([[1, 2, 3], [4]], model)
    assert batch.layout == "jagged"
    assert [tuple(part.shape) for part in batch.unnest(model(batch.values))] == [(3, 2), (1, 2)]


def test_a_model_that_padding_misleads_is_told_apart():
    class Both(nn.Module):
        """Reads from both ends, so padding reaches the real positions."""

        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 4, batch_first=True, bidirectional=True)

        def forward(self, x):
            return self.lstm(x)[0]

    batch = nest(samples(), Both())
    assert batch.layout == "padded"
    assert "padding changes its results" in batch.note
    assert "padding changes its results" in repr(batch)


def test_a_model_whose_jagged_result_is_another_is_not_given_jagged():
    class Odd(nn.Linear):
        def forward(self, x):
            return super().forward(x) + (1.0 if x.is_nested else 0.0)

    assert nest(samples(), Odd(8, 3)).layout == "padded"


def test_a_model_that_needs_more_positions_is_given_more():
    model = nn.Sequential(Swap(), nn.Conv1d(8, 4, 9), Swap())
    batch = nest(samples((12, 30)), model)
    assert batch.layout == "padded"
    assert "same as one by one" in batch.note
    assert nest(samples((3, 12, 30)), model).layout == "padded", "one sample is too short, but the others are not"


class Swap(nn.Module):
    """Positions last, as convolutions want them, and back."""

    def forward(self, x):
        return x.transpose(1, 2)


def test_samples_that_are_empty_alike_or_alone():
    model = nn.Linear(8, 3)
    assert nest([torch.zeros(0, 8)], model).lengths.tolist() == [0]
    assert nest(samples((4, 4)), model).layout == "jagged"
    assert nest(samples((1,)), model).layout == "jagged"
    for layout in ("jagged", "padded"):
        batch = nest([torch.zeros(0, 8), torch.ones(2, 8)], layout=layout)
        assert [len(part) for part in batch.unnest()] == [0, 2]
        assert repr(batch)


def test_samples_of_the_same_few_positions_are_tried_with_padding_too():
    model = nn.Sequential(nn.LSTM(8, 4, batch_first=True, bidirectional=True), First())
    for lengths in ((3, 3), (2,), (4, 4, 4)):
        assert "padding changes its results" in nest(samples(lengths), model).note
    assert "one by one" in nest(samples((1, 1)), model).note, "nothing can be told apart here"


class First(nn.Module):
    def forward(self, outputs):
        return outputs[0]


def test_a_model_that_wants_the_positions_first_is_found_out():
    batch = nest(samples(), nn.LSTM(8, 4))
    assert batch.layout == "padded"
    assert "batch_first=True" in batch.note

    class Whole(nn.Linear):
        """One answer for the whole batch."""

        def forward(self, x):
            return super().forward(x).mean(dim=(0, 1))[None]

    assert "even without padding" in nest(samples(), Whole(8, 3)).note


def test_of_several_results_the_first_with_a_row_for_each_sample_counts():
    class Both(nn.Linear):
        def forward(self, x):
            scores = super().forward(x)
            return {"loss": x.sum() if not x.is_nested else x.values().sum(), "scores": scores}

    batch = nest(samples(), Both(8, 3))
    assert batch.layout == "jagged"
    assert [tuple(part.shape) for part in batch.unnest(Both(8, 3)(batch.values)["scores"])] == [(5, 3), (2, 3), (9, 3)]


@pytest.mark.parametrize(("result", "words"), [(lambda x: x.sum(), r"\(\)"), (lambda _x: None, "NoneType")])
def test_a_model_that_returns_nothing_of_single_samples(result, words):
    class Loss(nn.Linear):
        def forward(self, x):
            return result(super().forward(x))

    with pytest.raises(NoRows, match=words):
        nest(samples(), Loss(8, 3))


def test_a_model_whose_rows_are_others_in_a_batch():
    class Odd(nn.Linear):
        """Numbers for each position of a sample alone, one number for each sample of a batch."""

        def forward(self, x):
            scores = super().forward(x).sum(dim=-1)
            return scores if len(x) == 1 else scores.sum(dim=1)

    assert nest(samples(), Odd(8, 3)).layout == "padded"


def test_a_mistake_of_ours_is_not_taken_for_the_models(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("ours")

    module = sys.modules[NoRows.__module__]  # its name in the package is that of the function
    for name in ("_apart", "_agree", "_rows", "_mask", "_sides", "_has_rows"):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            with pytest.raises(ZeroDivisionError, match="ours"):
                repr(nest(samples(), MayMask()))


def test_a_model_that_raises_only_where_gradients_are_wanted():
    class NoGradient(nn.Linear):
        def forward(self, x):
            if x.is_nested and torch.is_grad_enabled():
                raise ArithmeticError("not with gradients")
            return super().forward(x)

    batch = nest(samples(), NoGradient(8, 3))
    assert batch.layout == "padded"
    assert "gradients" in batch.note


def test_a_model_of_another_kind_of_numbers_says_what_pytorch_says():
    with pytest.raises(CannotTry, match=r"dtype|Double|double"):
        nest(samples(), nn.Linear(8, 3).double())


# What a trial must not touch: weights, gradients, buffers, modes, states, generators, a graph that waits.


class Stateful(nn.Module):
    """Everything that a forward pass can leave behind."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8, track_running_stats=True)
        self.inner = nn.Linear(8, 3)
        self.drop = nn.Dropout(0.5)
        self.calls, self.seen, self.state = 0, [], torch.ones(3, requires_grad=True) * 2

    def forward(self, x):
        self.calls += 1
        self.seen.append(x.shape)
        self.state = self.state * 0.5
        self.norm.running_mean.add_(1)
        torch.rand(1), np.random.rand(), random.random()
        with torch.enable_grad():
            self.inner(torch.ones(8)).sum().backward()
        return self.drop(self.inner(x)) + self.state.sum().detach() * 0


@pytest.mark.parametrize("training", [True, False])
def test_a_trial_leaves_nothing_behind(training):
    model = Stateful().train(training)
    model.drop.eval()
    model.inner.weight.grad = torch.ones(3, 8)
    gradient, state = model.inner.weight.grad, model.state
    waiting = model.norm.running_mean._version, (model.inner(torch.ones(1, 8)) ** 2).sum()
    before = copy.deepcopy(model.state_dict())
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    parts = samples()
    generators = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    batch = nest(parts, model)
    assert batch.layout == "jagged"
    assert random.getstate() == generators[0]
    assert np.random.get_state()[1].tolist() == generators[1]
    assert torch.equal(torch.get_rng_state(), generators[2])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.inner.weight.grad is gradient
    assert torch.equal(gradient, torch.ones(3, 8))
    assert model.inner.bias.grad is None
    assert (model.calls, model.seen, model.training, model.drop.training) == (0, [], training, False)
    assert model.state is state
    assert model.norm.running_mean._version == waiting[0]
    waiting[1].backward()


def test_weights_that_a_lookup_shortens_and_lazy_ones_stay():
    model = nn.Embedding(10, 4, max_norm=0.01)
    before = model.weight.detach().clone()
    nest([[1, 2, 3], [4]], model)
    assert torch.equal(model.weight, before)
    heard = []
    layer = nn.Linear(8, 3)
    layer.weight.register_hook(heard.append)
    assert nest(samples(), layer).layout == "jagged"
    assert not heard, "hooks of the weights are the learner's"
    lazy = nn.LazyLinear(3)
    nest(samples(), lazy)
    assert isinstance(lazy.weight, nn.UninitializedParameter)


def test_a_model_that_cannot_be_copied_is_put_back():
    model = nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3)).train()
    model.file = io.BytesIO(b"1").getbuffer()  # a memoryview, which no copy is made of
    with pytest.raises(TypeError):
        copy.deepcopy(model)
    before = copy.deepcopy(model[1].state_dict())
    with pytest.raises(CannotTry):  # BatchNorm1d wants the positions last
        nest(samples(), model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model[1].state_dict().items())


def test_samples_that_belong_to_a_graph_keep_it():
    model = nn.Linear(8, 8)
    model.file = io.BytesIO(b"1").getbuffer()  # not copied, so the weights themselves are tried
    parts = [model(part) ** 2 for part in samples()]
    batch = nest(parts, model)
    assert batch.layout == "jagged"
    torch.cat(batch.unnest(batch.values * 2)).sum().backward()
    assert model.weight.grad.abs().sum() > 0


def test_a_compiled_model_is_asked_without_compiling():
    def never(module, inputs):
        raise AssertionError("compiled for a trial")

    model = torch.compile(nn.Linear(8, 3), backend=never)
    assert nest(samples(), model).layout == "jagged"


def test_no_line_for_authors_of_compilers():
    code = "import firstlight as fl; print(fl.nest([[1.0, 2.0], [3.0]]).values.shape)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() == "torch.Size([2, j1])"


# What samples may come as.


def test_arrays_lists_tensors_generators_and_nested_tensors():
    wanted = [[1.0, 2.0], [3.0]]
    for given in (
        [np.array([1, 2], dtype=np.float32), np.array([3], dtype=np.float32)],
        wanted,
        (torch.tensor(part) for part in wanted),
        nest(wanted).values,
    ):
        batch = nest(given, layout="padded")
        assert batch.values.tolist() == [[1.0, 2.0], [3.0, 0.0]]
    assert nest(torch.ones(2, 3)).lengths.tolist() == [3, 3]


def test_arrays_that_run_backwards_or_cannot_be_written():
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    fixed = array.copy()
    fixed.flags.writeable = False
    assert nest([array[::-1], fixed]).unnest()[0].tolist() == [[4, 5], [2, 3], [0, 1]]
    batch = nest([fixed], layout="padded")
    batch.values.zero_()
    assert fixed.sum() == 15, "an array stays as it is"


def test_an_empty_list_is_of_the_kind_of_the_others():
    batch = nest([[], [1, 2], []], layout="padded")
    assert (batch.values.dtype, batch.lengths.tolist()) == (torch.int64, [0, 2, 0])
    assert nest([[], torch.ones(2, 3)]).unnest()[0].shape == (0, 3)
    assert nest([[], []]).lengths.tolist() == [0, 0]
    assert nest([([], 1), ([4], 0)]).labels.tolist() == [1, 0]
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    assert nest([[1], [], [2]], model).layout == "jagged"


def test_batches_have_no_single_answer_to_whether_they_are_equal():
    one, other = nest(samples()), nest(samples())
    assert one == one
    assert one != other
    assert len({one, other}) == 2


class Words(torch.utils.data.Dataset):
    """Token numbers of different lengths, with labels."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.arange(index + 1), index % 2


def test_a_dataset_and_a_loader():
    batch = nest(Words())
    assert batch.lengths.tolist() == [1, 2, 3, 4]
    assert batch.labels.tolist() == [0, 1, 0, 1]
    assert nest([torch.ones(2), torch.ones(1)]).labels is None
    assert nest([(1, 2), (3, 4)]).labels is None, "two numbers are a sample, not a sample and its label"
    found = list(DataLoader(Words(), batch_size=2, collate_fn=nest))
    assert [one.lengths.tolist() for one in found] == [[1, 2], [3, 4]]
    assert found[1].labels.tolist() == [0, 1]


def test_it_moves_to_another_device():
    batch = nest(samples(), MaskedMean())
    moved = batch.to("meta")
    assert {moved.values.device.type, moved.mask.device.type, moved.lengths.device.type} == {"meta"}
    assert moved.arguments["mask"].device.type == "meta"
    assert batch.to("cpu").lengths.tolist() == [5, 2, 9]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("make", [lambda: nn.Linear(8, 3), MaskedMean])
def test_a_batch_goes_to_the_model(make):
    batch = nest(samples(), make().to("cuda"))
    assert batch.values.device.type == batch.lengths.device.type == "cuda"


# What goes wrong.


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([], NoSamples, "no samples"),
        (torch.tensor(1.0), NoSamples, "no samples"),
        ("text", NotSamples, "str"),
        (7, NotSamples, "int"),
        ([torch.tensor(1.0)], NotSamples, r"Sample 0 .* \(\)"),
        ([torch.ones(2), "text"], NotSamples, "Sample 1 .* str"),
        ([torch.ones(2), None], NotSamples, "NoneType"),
        ([[1, [2, 3]]], NotSamples, "list"),
        ([torch.ones(2, 3), torch.ones(2, 4)], SamplesDiffer, "Sample 1 .* 2 × 4"),
        ([torch.ones(2, 3), torch.ones(2)], SamplesDiffer, "Sample 1"),
        ([torch.ones(2), torch.ones(3).long()], SamplesDiffer, "int64"),
        ([torch.ones(2), torch.ones(3, device="meta")], SamplesDiffer, "meta"),
    ],
)
def test_samples_that_cannot_be_nested(given, error, words):
    with pytest.raises(error, match=words) as caught:
        nest(given)
    assert isinstance(caught.value, FirstlightError)


def test_trees_are_sent_to_the_lesson():
    trees, _ = load("arithmetic")
    with pytest.raises(NotSamples, match="the_graph_is_alive"):
        nest(trees.inputs[:3])
    with pytest.raises(NotSamples, match="Tree"):
        nest(trees.subset(range(3)))


def test_layouts_pads_and_models_that_are_none():
    with pytest.raises(BadLayout, match="'ragged'"):
        nest(samples(), layout="ragged")
    with pytest.raises(BadPad, match="int64"):
        nest([[1], [2, 3]], layout="padded", pad=0.5)
    with pytest.raises(BadPad):
        nest(samples(), layout="padded", pad="x")
    for pad, dtype in ((1e9, torch.float16), (-1, torch.uint8), (float("nan"), torch.int64)):
        with pytest.raises(BadPad):
            nest([torch.ones(2, dtype=dtype), torch.ones(1, dtype=dtype)], layout="padded", pad=pad)
    assert nest([[1], [2, 3]], layout="padded", pad=-100).values.tolist() == [[1, -100], [2, 3]]
    assert nest(samples(), layout="padded", pad=float("-inf")).values.isinf().any()
    with pytest.raises(NotAModel):
        nest(samples(), len)


def test_models_that_take_no_batch():
    with pytest.raises(CannotTry, match=r"7 × 8|9 × 8|5 × 8") as caught:
        nest(samples(), nn.Linear(7, 3))
    assert isinstance(caught.value.__cause__, RuntimeError)

    with pytest.raises(CannotTry, match="multiplied"):  # and not that the mask is missing
        nest(samples(), MaskedMean(width=7))

    class Single(nn.Linear):
        def forward(self, x):
            assert len(x) == 1, "one at a time"
            return super().forward(x)

    with pytest.raises(TakesNoBatch, match="one at a time"):
        nest(samples(), Single(8, 3))


def test_outputs_are_taken_apart_as_they_are_meant():
    batch = nest(samples(), layout="padded")
    assert [tuple(part.shape) for part in batch.unnest(torch.zeros(3, 9, 4))] == [(5, 4), (2, 4), (9, 4)]
    assert [tuple(part.shape) for part in batch.unnest(torch.zeros(3, 4))] == [(4,)] * 3
    with pytest.raises(Unclear, match="9 positions"):
        batch.unnest(torch.zeros(3, 9))
    assert [len(part) for part in batch.unnest(torch.zeros(3, 9), per="sample")] == [9, 9, 9]
    assert [len(part) for part in batch.unnest(torch.zeros(3, 9), per="position")] == [5, 2, 9]
    for wrong in (torch.zeros(2, 9, 4), torch.tensor(1.0), (torch.zeros(3, 9), None), "text"):
        with pytest.raises(OutputDiffers):
            batch.unnest(wrong)
    with pytest.raises(OutputDiffers):
        batch.unnest(torch.zeros(3, 4), per="position")
    with pytest.raises(BadPer, match="'positions'"):
        batch.unnest(torch.zeros(3, 9), per="positions")
    jagged = nest(samples(), layout="jagged")
    assert [len(part) for part in jagged.unnest(torch.zeros(3, 9))] == [9, 9, 9], "no padding, so nothing is cut"


def test_the_words():
    assert repr(nest(samples(), layout="padded")).splitlines() == [
        "3 samples of 2 to 9 positions, padded: 3 × 9 × 8, float32, cpu",
        "59% of the positions are real, the rest is padding; .mask says which",
    ]
    text = repr(nest(samples(), MaskedMean()))
    assert text.endswith("call: model(batch.values, **batch.arguments)")


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_the_words_in_other_languages(lang, monkeypatch):
    english = repr(nest(samples(), nn.Linear(8, 3)))
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    text = repr(nest(samples(), nn.Linear(8, 3)))
    assert not set(text.splitlines()) & set(english.splitlines())
    assert "3 × (2" in text
