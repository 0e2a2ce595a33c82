"""Samples of different lengths as one batch: jagged, or padded with a mask.

Shapes: N samples, L length of a sample, M the longest, * what each position holds.
"""

import copy
import inspect
import logging
import math
import numbers
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.utils.data
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.train.check import require_model, unchanged

Layout = Literal["auto", "jagged", "padded"]
Form = Callable[["Nested"], dict[str, Any]]  # what a model is given by name, besides the values

_TINY = (7, 4)  # positions of the two samples that a model is tried with
# Share of the largest output by which the same sums in another order may differ; in half precision the second.
_CLOSE, _CLOSE_HALF = 1e-3, 2e-2


class NoSamples(FirstlightError, ValueError):
    """There is nothing to make a batch of."""

    text = Text(
        what="There are no samples to nest.",
        why="A batch holds at least one sample; what was given is empty.",
        do="Give a list of tensors, as in fl.nest([torch.rand(5, 8), torch.rand(3, 8)]).",
    )


class NotSamples(FirstlightError, TypeError):
    """Something else than tensors of some length."""

    text = Text(
        what="Sample {position} cannot be nested: it is {found}.",
        why="Each sample is a tensor, an array or a list of numbers, and its first side is its length.",
        do="Give tensors of the shape (length, ...). Trees have no length: batch them by depth, as the lesson "
        "the_graph_is_alive shows.",
    )


class SamplesDiffer(FirstlightError, ValueError):
    """More than the length differs from sample to sample."""

    text = Text(
        what="Sample {position} is {found}; sample 0 is {first}.",
        why="Only the first side, the length, may differ. What each position holds must have the same shape and kind.",
        do="Look at how sample {position} was made. Kinds of numbers are brought together with sample.float(), devices "
        "with fl.nest(samples, device='cpu').",
    )


class BadLayout(FirstlightError, ValueError):
    """A layout that does not exist."""

    text = Text(
        what="There is no layout {found}.",
        why="A batch of different lengths is jagged, or padded to the longest.",
        do="Write layout='auto', layout='jagged' or layout='padded'.",
    )


class BadPad(FirstlightError, ValueError):
    """A number to pad with that the samples cannot hold."""

    text = Text(
        what="{found} cannot be written into samples of the kind {dtype}.",
        why="Padding is made of the same kind of numbers as the samples.",
        do="Give another pad=, such as pad=0, or convert the samples with sample.float().",
    )


class CannotTry(FirstlightError, RuntimeError):
    """The model fails on a single sample already."""

    text = Text(
        what="What the model takes cannot be found out: it fails on a single sample of the shape {shape}.",
        why="PyTorch says: {error}",
        do="Call model(sample[None]) and mend what it says. If the model needs more than the samples, leave it out "
        "here and say what you want: fl.nest(samples, layout='padded').",
    )


class NoRows(FirstlightError, ValueError):
    """The model returns nothing that belongs to single samples."""

    text = Text(
        what="What the model takes cannot be found out: of a single sample of the shape {shape} it returns {found}.",
        why="Forms are compared by results, so one tensor that the model returns must have a row for each sample.",
        do="Give the model that makes scores, without the loss. Or say what you want: fl.nest(samples, "
        "layout='padded').",
    )


class TakesNoBatch(FirstlightError, RuntimeError):
    """The model takes one sample at a time only."""

    text = Text(
        what="The model takes samples one by one, but neither a jagged nor a padded batch of them.",
        why="PyTorch says of the padded batch, {shape}: {error}",
        do="Write forward() so that the first side is the sample and the second the position, or call the model on "
        "one sample after the other.",
    )


class OutputDiffers(FirstlightError, ValueError):
    """What is to be taken apart is no output for this batch."""

    text = Text(
        what="{found} cannot be taken apart into {count} samples.",
        why="The first side of what a model returns counts the samples of the batch.",
        do="Give what the model returned for this batch. Of several results, take one: batch.unnest(outputs[0]).",
    )


class Unclear(FirstlightError, ValueError):
    """The second side may be positions, or it may not."""

    text = Text(
        what="An output of the shape {shape} can be read in two ways.",
        why="The longest sample has {longest} positions. So these are one number for each position, or {longest} "
        "numbers for each sample, such as scores of classes.",
        do="Say which: batch.unnest(output, per='position') or batch.unnest(output, per='sample').",
    )


class BadPer(FirstlightError, ValueError):
    """A way to read an output that does not exist."""

    text = Text(
        what="There is no per={found}.",
        why="The second side of an output counts positions, or it belongs to the sample as a whole.",
        do="Write per='position' or per='sample', or leave it out.",
    )


@dataclass(frozen=True, repr=False, eq=False)  # tensors have no single answer to whether they are equal
class Nested:
    """Samples of different lengths in one tensor.

    Attributes:
        values: The batch. Jagged: a `torch.nested` tensor without padding. Padded: a tensor with `pad` behind each
            shorter sample.
        mask: True where a position is real; None where the batch is jagged, as all positions are real there.
        lengths: The length of each sample, `int64`.
        layout: "jagged" or "padded".
        labels: Where the samples came as pairs (sample, label): the labels, else None.
        arguments: What the model wants by name, if one was given: `model(batch.values, **batch.arguments)`.
        note: What trying the model showed; empty if none was given.

    Shape:
        values: (N, L of each sample, *) or (N, M, *)
        mask: (N, M)
        lengths: (N,)
        labels: (N,)
    """

    values: Tensor
    mask: Tensor | None
    lengths: Tensor
    layout: str
    labels: Tensor | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __len__(self) -> int:
        return len(self.lengths)

    def unnest(self, output: Any = None, *, per: Literal["position", "sample"] | None = None) -> list[Tensor]:
        """Take a batch apart again: one tensor for each sample, without padding.

        Args:
            output: What a model returned for this batch; left out, the samples themselves.
            per: Whether the second side of a plain tensor counts positions, which are then cut to the length of each
                sample, or belongs to the sample as a whole. Needed only where the shape leaves it open.

        Shape:
            output: (N, L of each sample, *), (N, M, *) or (N, *)
            returns: N tensors of (L, *), or of (*)

        Raises:
            OutputDiffers: It is no tensor, or does not have one row for each sample.
            Unclear: The shape can be read in two ways.
            BadPer: There is no such `per`.

        Example:
            >>> batch = nest([torch.tensor([1, 2, 3]), torch.tensor([4])], layout="padded")
            >>> batch.unnest(batch.values * 10, per="position")
            [tensor([10, 20, 30]), tensor([40])]
        """
        if per not in (None, "position", "sample"):
            raise BadPer(found=repr(per))
        if output is None:
            output, per = self.values, "position"
        if not _has_rows(output, len(self)):
            raise OutputDiffers(found=_described(output), count=len(self))
        if output.is_nested:
            return list(output.unbind())
        longest = max(self.lengths.tolist())
        fits = output.ndim > 1 and output.shape[1] == longest and self.layout == "padded"
        if per == "position" and (output.ndim < 2 or output.shape[1] < longest):
            raise OutputDiffers(found=_described(output), count=len(self))
        if per is None and fits and output.ndim == 2:
            raise Unclear(shape=_sides(output), longest=longest)
        if per == "position" or (per is None and fits):
            return [row[:length] for row, length in zip(output, self.lengths.tolist(), strict=True)]
        return list(output)

    def to(self, device: torch.device | str) -> "Nested":
        """The same batch on another device."""
        moved = {name: value.to(device) for name, value in self.arguments.items() if isinstance(value, Tensor)}
        return replace(
            self,
            values=self.values.to(device),
            mask=None if self.mask is None else self.mask.to(device),
            lengths=self.lengths.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            arguments={**self.arguments, **moved},
        )

    def __repr__(self) -> str:
        lengths = self.lengths.tolist()
        lines = [
            _(
                "{count} samples of {low} to {high} positions, {layout}: {shape}, {dtype}, {device}",
                count=f"{len(lengths):,}",
                low=f"{min(lengths):,}",
                high=f"{max(lengths):,}",
                layout={"jagged": _("jagged"), "padded": _("padded")}[self.layout],
                shape=_sides(self.values),
                dtype=str(self.values.dtype).removeprefix("torch."),
                device=self.values.device,
            )
        ]
        real, room = sum(lengths), len(lengths) * max(lengths)
        share = real / room if room else 1.0
        if self.layout == "padded":
            lines.append(_("{share:.0%} of the positions are real, the rest is padding; .mask says which", share=share))
        else:
            lines.append(
                _("no padding; padded it would be {times:.1f} times as large", times=1 / share if share else 1)
            )
        if self.note:
            lines.append(self.note)
            lines.append(_("call: {call}", call=self._call()))
        return "\n".join(lines)

    def _call(self) -> str:
        return f"model(batch.values{', **batch.arguments' if self.arguments else ''})"


def nest(
    samples: Any,
    model: nn.Module | None = None,
    *,
    layout: Layout = "auto",
    pad: float = 0,
    device: torch.device | str | None = None,
) -> Nested:
    """Samples of different lengths as one batch, in the form that the model takes.

    Jagged keeps the samples behind one another and computes nothing that is not there; not every layer of PyTorch can
    read it. Padded brings all to the length of the longest; a model must then use the mask, or padding becomes part of
    its results. With a model and `layout="auto"`, two tiny samples are run through it, one by one, jagged and padded,
    and the first form with the same results is taken. Of several results, the first tensor with a row for each sample
    is compared. Nothing about the model changes by that. It takes a few forward passes: in a loop ask once, and then
    give the `layout`.

    Args:
        samples: Tensors, arrays or lists of numbers; pairs of such a sample and its label; a torch dataset of either.
            So it also does as `DataLoader(..., collate_fn=fl.nest)`.
        model: Who is to read the batch. Without one, "auto" is jagged.
        layout: "auto", "jagged" or "padded".
        pad: The number behind shorter samples in a padded batch.
        device: Where the batch is to be; otherwise where the model is, or else the samples.

    Shape:
        samples: N of (L, *)

    Raises:
        NoSamples: There are none.
        NotSamples: A sample is something else than numbers with a length.
        SamplesDiffer: More than the length differs from sample to sample.
        BadLayout: There is no such layout.
        BadPad: The samples cannot hold this number.
        NotAModel: The model is no module.
        CannotTry: The model fails on a single sample already.
        NoRows: The model returns nothing that belongs to single samples.
        TakesNoBatch: The model takes neither a jagged nor a padded batch.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> samples = [torch.ones(3, 2), torch.ones(5, 2)]
        >>> nest(samples, nn.Linear(2, 4))
        2 samples of 3 to 5 positions, jagged: 2 × (3 to 5) × 2, float32, cpu
        no padding; padded it would be 1.2 times as large
        The model takes a jagged batch and computes the same as one by one.
        call: model(batch.values)
        >>> batch = nest(samples, nn.LSTM(2, 4, batch_first=True))
        >>> batch.layout, batch.mask.sum(dim=1)
        ('padded', tensor([3, 5]))
    """
    if layout not in ("auto", "jagged", "padded"):
        raise BadLayout(found=repr(layout))
    if model is not None:
        require_model(model)
        device = _device_of(model) if device is None else device
    parts, labels = _tensors(samples, device)
    if not _holds(parts[0].dtype, pad):
        raise BadPad(found=repr(pad), dtype=str(parts[0].dtype).removeprefix("torch."))
    if layout != "auto" or model is None:
        return _nested(parts, "padded" if layout == "padded" else "jagged", pad, labels)
    found, form, note = _tried(model, parts, pad)
    batch = _nested(parts, found, pad, labels)
    return replace(batch, arguments=form(batch), note=note)


def _tensors(samples: Any, device: torch.device | str | None) -> tuple[list[Tensor], Tensor | None]:
    """Every sample as a tensor, all of one kind, and the labels where there are any."""
    found = list(_each(samples))
    if not found:
        raise NoSamples
    labels = None
    if all(_is_pair(item) for item in found):
        labels = torch.tensor([_plain(item[1]) for item in found])
        found = [item[0] for item in found]
    parts = []
    for position, sample in enumerate(found):
        part = _tensor(sample)
        if part is None or part.ndim == 0 or part.is_nested:
            raise NotSamples(position=position, found=_described(sample if part is None else part))
        parts.append(part if device is None else part.to(device))
    bare = [isinstance(sample, Sequence) and not len(sample) for sample in found]
    told = next((part for part, empty in zip(parts, bare, strict=True) if not empty), None)
    if told is not None:  # an empty list says neither what it would hold nor of which kind: the others do
        parts = [told.new_empty(0, *told.shape[1:]) if empty else part for part, empty in zip(parts, bare, strict=True)]
    first = parts[0]
    for position, part in enumerate(parts):
        if (part.shape[1:], part.dtype, part.device) != (first.shape[1:], first.dtype, first.device):
            raise SamplesDiffer(position=position, found=_described(part), first=_described(first))
    return parts, labels if labels is None else labels.to(first.device)


def _each(samples: Any) -> Iterator[Any]:
    if isinstance(samples, (str, bytes, Mapping, nn.Module)) or not (
        isinstance(samples, (Iterable, torch.utils.data.Dataset))
    ):
        raise NotSamples(position=0, found=_described(samples))
    if isinstance(samples, Tensor) and samples.is_nested:
        yield from samples.unbind()
    elif isinstance(samples, torch.utils.data.Dataset) and hasattr(samples, "__len__"):
        yield from (samples[position] for position in range(len(samples)))
    elif isinstance(samples, Iterable) and (not isinstance(samples, Tensor) or samples.ndim):
        yield from samples


def _is_pair(item: Any) -> bool:
    """A sample and its label, as datasets give them: one with a length, then a single number."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    label = item[1]
    number = isinstance(label, numbers.Real) or (isinstance(label, (Tensor, np.ndarray)) and label.ndim == 0)
    return number and not isinstance(item[0], numbers.Real)


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _tensor(sample: Any) -> Tensor | None:
    if isinstance(sample, Tensor):
        return sample
    if not isinstance(sample, (np.ndarray, Sequence)) or isinstance(sample, (str, bytes)):
        return None
    try:
        # A copy of an array: PyTorch takes none that runs backwards, and warns of one that cannot be written.
        return torch.from_numpy(sample.copy()) if isinstance(sample, np.ndarray) else torch.as_tensor(sample)
    except (TypeError, ValueError, RuntimeError):  # words, rows of different lengths, numbers that are too large
        return None


def _holds(dtype: torch.dtype, pad: Any) -> bool:
    try:
        held = torch.tensor(pad, dtype=dtype)
        rounded = dtype.is_floating_point and bool(held.isfinite()) == math.isfinite(pad)
        return bool(held.item() == pad) or rounded
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False


def _nested(parts: list[Tensor], layout: str, pad: float, labels: Tensor | None = None) -> Nested:
    lengths = torch.tensor([len(part) for part in parts], device=parts[0].device)
    if layout == "padded":
        values = nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=pad)
        mask = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        return Nested(values, mask, lengths, layout, labels)
    # One copy, through which gradients flow back to each sample. The kernels of attention ask for the shortest and the
    # longest; saying so here spares them a look at the numbers.
    offsets = nn.functional.pad(lengths.cumsum(0), (1, 0))
    sizes = [len(part) for part in parts]
    with _without_advice():
        values = torch.nested.nested_tensor_from_jagged(
            torch.cat(parts), offsets, min_seqlen=min(sizes), max_seqlen=max(sizes)
        )
    return Nested(values, None, lengths, layout, labels)


@contextmanager
def _without_advice() -> Iterator[None]:
    """PyTorch 2.13 logs a line for authors of compilers at the first nested tensor: nothing for a learner to act on."""
    logger = logging.getLogger("torch.fx._symbolic_trace")
    logger.addFilter(_nothing_below_error)
    try:
        yield
    finally:
        logger.removeFilter(_nothing_below_error)


def _nothing_below_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _tried(model: nn.Module, parts: list[Tensor], pad: float) -> tuple[str, Form, str]:
    """Which layout the model takes, what it wants by name, and the sentence that says how this was found."""
    # Cut off from the graphs that the learner's samples may belong to: a trial goes back through none of them.
    ordered = sorted((part.detach() for part in parts if len(part)), key=len)
    if not ordered:
        return "padded", _nothing, _("All samples are empty, so nothing was tried.")
    model = getattr(model, "_orig_mod", model)  # of torch.compile, which would compile for the two tiny samples
    forms = _forms(model)
    learns = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in model.parameters())
    with _at_rest(model) as still:
        for pair in _pairs(ordered):
            alone = _one_by_one(still, pair, forms, pad)
            usable = [(form, found) for form, found in zip(forms, alone, strict=True) if isinstance(found, list)]
            if usable:
                break
        else:
            # Where a mask is missing in one form, what is said in the form that has it is the matter.
            told = (found for found in alone if isinstance(found, Exception))
            problem = min(told, key=lambda error: (not isinstance(error, NoRows), isinstance(error, TypeError)))
            if isinstance(problem, NoRows):
                raise problem
            raise CannotTry(shape=_sides(pair[0][None]), error=_first_line(problem)) from problem
        usable = _sound(usable)
        ran: Form | None = None
        no_way_back = False
        for layout in ("jagged", "padded"):
            batch = _nested(pair, layout, pad)
            for form, wanted in usable:
                output = _called(still, batch, form)
                if isinstance(output, Exception):
                    problem = output
                    continue
                if not _agree(_apart(output, wanted), wanted):
                    if layout == "padded" and ran is None:
                        ran = form
                elif layout == "padded" or not learns or _leads_back(still, pair, form, pad):
                    return layout, form, _same(layout, no_way_back)
                else:
                    no_way_back = True
                    break
        if ran is None:
            raise TakesNoBatch(shape=_sides(batch.values), error=_first_line(problem)) from problem
        return "padded", ran, _others(mixes=_mixes(still, pair, ran, pad))


def _pairs(ordered: list[Tensor]) -> Iterator[list[Tensor]]:
    """Two samples to try, of different lengths where that can be: tiny ones, then longer ones.

    A convolution may need more positions than the first ones have.
    """
    low, high = ordered[0], ordered[-1]
    short = next((part for part in ordered if len(part) > len(low)), low)
    yield [short[: _TINY[0]], low[: max(1, min(_TINY[1], len(low) - 1))]]
    yield [short, low]
    yield [high, next((part for part in reversed(ordered) if len(part) < len(high)), high)]


def _others(*, mixes: bool) -> str:
    """The sentence for a model whose results for a padded batch are others."""
    if mixes:
        return _(
            "The model takes a batch, but even without padding its results are not those of one by one. Perhaps it "
            "wants the positions first (nn.LSTM has batch_first=True against this), or it draws random numbers."
        )
    return _("The model takes a padded batch, but padding changes its results. Let its forward() use the mask.")


def _same(layout: str, no_way_back: bool) -> str:
    if layout == "jagged":
        return _("The model takes a jagged batch and computes the same as one by one.")
    if no_way_back:
        return _(
            "The model takes a padded batch and computes the same as one by one. From a jagged one, no right gradients "
            "come back."
        )
    return _("The model takes a padded batch and computes the same as one by one. A jagged one it does not take.")


def _forms(model: nn.Module) -> list[Form]:
    """The ways in which a model may want to hear what is padding: not at all, by a mask, or by lengths."""
    try:
        names = list(inspect.signature(model.forward).parameters)[1:]
    except (TypeError, ValueError):  # a forward() whose arguments Python cannot see
        names = []
    forms: list[Form] = [_nothing]
    for name in names:
        if "mask" in name:
            # Transformers of other libraries say attention_mask to what is real, PyTorch the opposite.
            attention = name == "attention_mask"
            forms += [_mask(name, real=attention), _mask(name, real=not attention)]
        elif name in ("lengths", "length"):
            forms.append(_lengths(name))
    return forms


def _nothing(_batch: Nested) -> dict[str, Any]:
    return {}


def _mask(name: str, *, real: bool) -> Form:
    """A mask that is True at real positions, or, as PyTorch's own layers want it, at padding."""

    def form(batch: Nested) -> dict[str, Any]:
        return {name: batch.mask if real or batch.mask is None else ~batch.mask}

    return form


def _lengths(name: str) -> Form:
    return lambda batch: {name: batch.lengths}


@contextmanager
def _at_rest(model: nn.Module) -> Iterator[nn.Module]:
    """A model to try things with: the same weights, everything else its own, so that the learner's keeps no trace."""
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    memo: dict[int, Any] = {}
    for module in model.modules():
        # The copy has parameters of its own on the memory of these, so no gradient and no hook of theirs is touched.
        # A lookup that shortens its rows (max_norm) and lazy layers write into their weights: those are copied.
        if getattr(module, "max_norm", None) is None:
            for weight in module.parameters(recurse=False):
                if type(weight) is nn.Parameter:
                    memo[id(weight)] = nn.Parameter(weight.detach(), weight.requires_grad)
        # A carried state may belong to a graph, and such a tensor cannot be copied deeply.
        for held in vars(module).values():
            if isinstance(held, Tensor) and not isinstance(held, nn.Parameter):
                memo[id(held)] = held.detach().clone()
    try:
        still = copy.deepcopy(model, memo)
    except Exception:  # noqa: BLE001 (what a model holds besides tensors may not be copied for any reason)
        still = model
    try:
        with unchanged(still), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said of a trial, they would only confuse
            for parameter in model.parameters():
                parameter.grad = None
            yield still.eval()
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient


def _one_by_one(model: nn.Module, pair: list[Tensor], forms: list[Form], pad: float) -> list[list[Tensor] | Exception]:
    """For each form what the model says of each sample alone, or what it raised."""
    found: list[list[Tensor] | Exception] = []
    for form in forms:
        rows: list[Tensor] = []
        for sample in pair:
            output = _called(model, _nested([sample], "padded", pad), form)
            if isinstance(output, Exception):
                found.append(output)
                break
            row = _rows(output, 1)
            if row is None:
                found.append(NoRows(shape=_sides(sample[None]), found=_described(output)))
                break
            rows.append(row.unbind()[0])
        else:
            found.append(rows)
    return found


def _called(model: nn.Module, batch: Nested, form: Form) -> Any:
    """What the model returns for a batch, or the exception that it raised."""
    named = form(batch)
    try:
        return model(batch.values, **named)
    except Exception as error:  # noqa: BLE001 (whatever a model raises means that it does not take this)
        return error


def _sound(usable: list[tuple[Form, list[Tensor]]]) -> list[tuple[Form, list[Tensor]]]:
    """Without the masks that are the wrong way round: to those, a sample alone looks like nothing but padding."""
    form, plain = usable[0]
    if form is _nothing:
        return [pair for pair in usable if _agree(pair[1], plain)]
    full = [(form, found) for form, found in usable if all(bool(one.isfinite().all() and one.any()) for one in found)]
    return full or usable


def _rows(output: Any, count: int) -> Tensor | None:
    """The first tensor with a row for each sample of what a model returns."""
    return next((leaf for leaf in tree_leaves(output) if _has_rows(leaf, count)), None)


def _has_rows(value: Any, count: int) -> bool:
    # Nested tensors of the older, strided kind have no shape to ask for, but each side.
    return isinstance(value, Tensor) and value.ndim > 0 and value.size(0) == count


def _apart(output: Any, wanted: Sequence[Tensor]) -> list[Tensor]:
    """The row of each sample, cut to the length of what was said of it alone; empty where there are no rows."""
    result = _rows(output, len(wanted))
    if result is None:
        return []
    if result.is_nested:
        return list(result.unbind())
    return [row[: len(one)] if one.ndim and row.ndim else row for row, one in zip(result, wanted, strict=True)]


def _mixes(model: nn.Module, pair: list[Tensor], form: Form, pad: float) -> bool:
    """Whether results depend on the other samples of a batch even where all have the same length."""
    shortest = min(len(sample) for sample in pair)
    even = [sample[:shortest] for sample in pair]
    (wanted,) = _one_by_one(model, even, [form], pad)
    output = _called(model, _nested(even, "padded", pad), form)
    if isinstance(wanted, Exception) or isinstance(output, Exception):
        return False
    return not _agree(_apart(output, wanted), wanted)


def _leads_back(model: nn.Module, pair: list[Tensor], form: Form, pad: float) -> bool:
    """Whether the gradients of a jagged batch are those of its samples. Some of PyTorch's layers know no way back."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    found = []
    for batches in ([_nested(pair, "jagged", pad)], [_nested([sample], "padded", pad) for sample in pair]):
        with torch.enable_grad():
            outputs = [_rows(_called(model, batch, form), len(batch)) for batch in batches]
            if any(output is None for output in outputs):
                return False  # it raises only where gradients are wanted
            parts = [row for output in outputs if output is not None for row in output.unbind()]
            if not all(part.requires_grad for part in parts):
                return True  # nothing that could be learned from
            exact = torch.promote_types(parts[0].dtype, torch.float32)
            total = torch.stack([part.to(exact).square().sum() for part in parts]).sum()
        try:
            found.append(torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True))
        except Exception:  # noqa: BLE001 (a function of the learner's may raise anything on the way back)
            return False
    return _agree(found[0], found[1])


def _agree(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    """Whether all are equal but for rounding, seen beside the largest: a gradient may be 0 but for rounding."""
    if [one.shape for one in found] != [one.shape for one in wanted]:
        return False
    if not wanted[0].is_floating_point():
        return all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    here, there = ([one.detach().cpu().double() for one in many] for many in (found, wanted))  # MPS knows no float64
    size = max((float(one.nan_to_num(0, 0, 0).abs().max()) for one in there if one.numel()), default=0.0)
    close = size * (_CLOSE_HALF if wanted[0].dtype in (torch.float16, torch.bfloat16) else _CLOSE)
    return all(torch.allclose(*pair, rtol=0, atol=close, equal_nan=True) for pair in zip(here, there, strict=True))


def _device_of(model: nn.Module) -> torch.device | None:
    first = next(iter([*model.parameters(), *model.buffers()]), None)
    return first.device if first is not None else None


def _sides(tensor: Tensor) -> str:
    if not tensor.is_nested:
        return " × ".join(str(side) for side in tensor.shape) or "()"
    lengths = cast(Any, tensor).offsets().diff().tolist()
    low, high = min(lengths), max(lengths)
    middle = str(low) if low == high else _("({low} to {high})", low=low, high=high)
    return " × ".join([str(len(lengths)), middle, *(str(side) for side in tensor.shape[2:])])


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.is_nested:
        return _("a nested tensor")
    kind = f"{str(value.dtype).removeprefix('torch.')}, {value.device}"
    return _("a tensor of the shape {shape} ({kind})", shape=_sides(value), kind=kind)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
