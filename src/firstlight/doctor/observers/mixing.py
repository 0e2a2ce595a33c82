"""Whether what a model says of one sample depends on the others: a small experiment on a copy, when all is over.

One sample is changed. In evaluation mode, only its own row of the output may change with it. Where others do, a second
pass finds the function in which it spread, and the last function before that moved numbers between dimensions.

Shapes: N samples.
"""

import contextlib
import copy
import io
import sys
import warnings
import weakref
from collections.abc import Iterator
from time import thread_time
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader

from firstlight.doctor.losses import is_wrapped, tensors_in
from firstlight.doctor.observer import Call, Observer
from firstlight.doctor.places import Place
from firstlight.graph.source import own_frame

_MOST_NUMBERS = 300_000  # of an input that is kept
_MOST_WEIGHTS = 2_000_000
_SECONDS = 1.0  # of this thread
MOVING = {"view", "reshape", "flatten", "permute", "transpose", "t", "T", "swapaxes", "swapdims", "unflatten", "mT",
           "ravel", "view_as", "reshape_as", "movedim"}  # fmt: skip
# Private: what is heard of us is switched off around observers, and here we want to hear ourselves.
_heard = getattr(torch._C, "_EnableTorchFunction", contextlib.nullcontext)
_MIXED_BY_WEIGHTS = {"linear", "conv1d", "conv2d", "conv3d", "bilinear", "addmm"}
SEQUENCES = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


class Mixing(Observer):
    """Facts `mixing` (roots where samples depend on each other) and `unused_inputs`."""

    kinds: ClassVar = ("mixing", "unused_inputs")
    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._kept: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._all: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        self._unused: list[dict[str, Any]] = []
        self._asked = False

    def forward_begins(self, call: Call) -> None:
        if not call.close or not call.grad or call.module in self._kept or len(self._all) >= 4:
            return
        given = list(tensors_in((call.args, call.kwargs)))
        if not given or sum(one.numel() for one in given) > _MOST_NUMBERS:
            return
        if any(type(one) not in (Tensor, nn.Parameter) or one.is_meta or one.dim() < 1 for one in given):
            return
        if any(one.layout != torch.strided for one in given) or len(given[0]) < 3:
            return
        if not _is_plain((call.args, call.kwargs)) or is_wrapped(given) or is_wrapped(call.module):
            return
        loader = self.witness.feed.loader if self.witness.feed is not None else None
        size = loader.batch_size if isinstance(loader, DataLoader) else None
        self._kept[call.module] = kept = {
            "args": _copied(call.args), "kwargs": _copied(call.kwargs), "rows": len(given[0]), "batch": size,
            "step": self.witness.step, "called": call.place, "sequences": [], "made": 0, "copy": None,
            "copied": False, "shape": list(given[0].shape),
        }  # fmt: skip
        self._all.append(kept)

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        kept = self._kept.get(call.module)
        if kept is None or not isinstance(module, SEQUENCES) or len(kept["sequences"]) >= 8:
            return
        first = next((one for one in args if isinstance(one, Tensor)), None)
        if first is None or first.dim() != 3:
            return
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            batch_first = bool(module.batch_first)
        else:
            batch_first = bool(module.self_attn.batch_first)
        name = next((name for name, one in call.module.named_modules() if one is module), "")
        row = {"name": name, "layer": type(module).__name__, "batch_first": batch_first, "shape": list(first.shape)}
        if row not in kept["sequences"]:
            kept["sequences"].append(row)

    def forward(self, call: Call) -> None:
        kept = self._kept.get(call.module)
        if kept is not None:
            kept["made"] += 1
            if kept["made"] >= 3 and call.close and not kept["copied"]:
                kept["copied"] = True
                kept["copy"] = copy_of(call.module)  # a function may own the model, and be over before we ask
            if "output" not in kept:
                output = next(tensors_in(call.output), None)
                kept["output"] = list(output.shape) if output is not None else []

    def probe(self) -> None:
        began = thread_time()
        for kept in self._all:
            root, kept["copy"] = kept["copy"], None
            if root is None or thread_time() - began > _SECONDS:
                continue
            self._asked = True
            quiet = contextlib.redirect_stdout(io.StringIO())
            # A model that cannot be copied, or runs only in its loop, is left alone.
            with contextlib.suppress(Exception), warnings.catch_warnings(), quiet:
                warnings.simplefilter("ignore")
                self._experiment(root, kept)

    def _experiment(self, root: nn.Module, kept: dict[str, Any]) -> None:
        model = _quiet_copy(root)
        began = thread_time()
        with torch.no_grad():
            plain = _run(model, kept["args"], kept["kwargs"])
        took = thread_time() - began
        if took > _SECONDS or not plain or not bool(torch.isfinite(plain[0]).all()):
            return
        if (len(plain[0]) if plain[0].dim() else 0) != kept["rows"] and _is_time_first(kept, plain[0]):
            kept["rows"], kept["axis"] = kept["shape"][1], 1
        rows, axis = kept["rows"], kept.get("axis", 0)
        changed = with_another_first(kept["args"], rows, axis), with_another_first(kept["kwargs"], rows, axis)
        if len(plain[0]) == rows:
            with torch.no_grad():
                other = _run(_quiet_copy(root), *changed)
            if other and other[0].shape == plain[0].shape and _others_move(plain[0], other[0]):
                self._locate(root, kept, changed)
        if not axis:
            self._note_unused(root, kept)

    def _locate(self, root: nn.Module, kept: dict[str, Any], changed: tuple[Any, Any]) -> None:
        first = _Follow(None, kept["rows"])
        with torch.no_grad():
            _run(_quiet_copy(root), kept["args"], kept["kwargs"], first)
        second = _Follow(first.results, kept["rows"])
        with torch.no_grad():
            _run(_quiet_copy(root), *changed, second)
        self._found.append(
            {
                "class": type(root).__name__,
                "rows": kept["rows"],
                "batch": kept["batch"],
                "step": kept["step"],
                "output": kept.get("output", []),
                "sequences": kept["sequences"],
                "spread": second.spread,
                "spread_place": place_json(second.spread_line),
                "moved": second.moved,
                "moved_in_rows": second.moved_in_rows,
                "moved_place": place_json(second.moved_line),
                "by_weights": second.by_weights,
                "over_rows": second.over_rows,
                "called": kept["called"] and kept["called"].as_json(),
            }
        )

    def _note_unused(self, root: nn.Module, kept: dict[str, Any]) -> None:
        """Columns of a table, or whole inputs, that no output depends on."""
        self._note_steps(root, kept)
        model = _quiet_copy(root)
        args, kwargs = _copied(kept["args"]), _copied(kept["kwargs"])
        given = [one for one in tensors_in((args, kwargs)) if one.is_floating_point()]
        for one in given:
            one.requires_grad_()
        with torch.enable_grad():
            outputs = [one for one in _run(model, args, kwargs) if one.requires_grad and one.is_floating_point()]
            if not outputs:
                return
            weights = [torch.randn_like(one) for one in outputs]
            total = torch.stack([(one * weight).sum() for one, weight in zip(outputs, weights, strict=True)]).sum()
            slopes = torch.autograd.grad(total, given, allow_unused=True) if given else ()
        if not any(slope is not None and bool(slope.any()) for slope in slopes):
            return
        for at, (one, slope) in enumerate(zip(given, slopes, strict=True)):
            nothing = slope is None or not bool(slope.any())
            columns = (slope == 0).all(dim=0) if slope is not None and slope.dim() == 2 else None
            if (nothing or (columns is not None and bool(columns.any()))) and self._matters(
                root, kept, at, None if nothing else columns
            ):
                continue  # a mask: no slope leads through a comparison
            if slope is None or not bool(slope.any()):
                if one.dim() >= 2:
                    self._unused.append({"input": at, "columns": None, "of": None, "class": type(root).__name__,
                                         "called": _json(kept["called"]), "step": kept["step"]})  # fmt: skip
            elif one.dim() == 2 and 2 <= one.shape[1] <= 4096:
                silent = (slope == 0).all(dim=0)
                count = int(silent.sum())
                if count and bool((one.detach()[:, silent].std(0) > 0).all()):
                    some = silent.nonzero().flatten()[:5].tolist()
                    self._unused.append({"input": at, "columns": some, "count": count, "of": one.shape[1],
                                         "class": type(root).__name__, "called": _json(kept["called"]),
                                         "step": kept["step"]})  # fmt: skip

    def _note_steps(self, root: nn.Module, kept: dict[str, Any]) -> None:
        """Sequences of which only the first or the last step counts: with those of other samples, nothing changes."""
        given = list(tensors_in((kept["args"], kept["kwargs"])))
        first = given[0]
        words = first.dim() == 2 and not first.is_floating_point() and first.dtype != torch.bool
        if len(given) != 1 or not (words or (first.dim() == 3 and kept["sequences"])) or first.shape[1] < 3:
            return
        for at in (0, first.shape[1] - 1):
            others = [one for one in range(first.shape[1]) if one != at]
            if bool((first[:, others] == first.flip(0)[:, others]).all()):
                continue
            args, kwargs = _copied(kept["args"]), _copied(kept["kwargs"])
            one = next(tensors_in((args, kwargs)))
            with torch.no_grad():
                before = _run(_quiet_copy(root), args, kwargs)
                one[:, others] = one.flip(0)[:, others]
                after = _run(_quiet_copy(root), args, kwargs)
                one[:, at] = one[:, at].flip(0)
                turned = _run(_quiet_copy(root), args, kwargs)
            # What nothing at all has an influence on has died: that is of another kind.
            lives = not all(map(torch.equal, before, turned))
            if lives and before and len(before[0]) == len(first) and all(map(torch.equal, before, after)):
                self._unused.append({"input": 0, "columns": None, "steps": others[:5], "count": len(others),
                                     "of": first.shape[1], "class": type(root).__name__,
                                     "unread": at == 0 and _reads_forwards(root),
                                     "called": _json(kept["called"]), "step": kept["step"]})  # fmt: skip
                return

    def _matters(self, root: nn.Module, kept: dict[str, Any], at: int, columns: Tensor | None) -> bool:
        """Whether outputs change with an input, or columns of it, whose rows are turned around."""
        args, kwargs = _copied(kept["args"]), _copied(kept["kwargs"])
        one = [one for one in tensors_in((args, kwargs)) if one.is_floating_point()][at]
        with torch.no_grad():
            before = _run(_quiet_copy(root), args, kwargs)
            if columns is None:
                one.copy_(one.flip(0))
            else:
                one[:, columns] = one.flip(0)[:, columns]
            after = _run(_quiet_copy(root), args, kwargs)
        return any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What the experiments found."""
        if self._found or self._asked:
            yield "mixing", self._found
        if self._unused or self._asked:
            yield "unused_inputs", self._unused[:10]


class _Follow(TorchFunctionMode):
    """Compares what each function gives with what it gave before: where does a change of one sample reach others?"""

    def __init__(self, before: list[Tensor | None] | None, rows: int) -> None:
        super().__init__()
        self._before, self._rows = before, rows
        self.results: list[Tensor | None] = []
        self.spread, self.moved = "", ""
        self.spread_line: Any = None
        self.moved_line: Any = None
        self.by_weights = self.moved_in_rows = False
        self.over_rows: list[int] | None = None  # shape of what a softmax took over its first dimension, the samples
        self._at = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple) and result else result
        kept = first if isinstance(first, Tensor) and first.numel() <= 10 * _MOST_NUMBERS else None
        if self._before is None:
            self.results.append(None if kept is None else kept.detach().clone())
            return result
        before = self._before[self._at] if self._at < len(self._before) else None
        self._at += 1
        if self.spread or before is None or kept is None or before.shape != kept.shape or not kept.numel():
            return result
        name = getattr(func, "__name__", "")
        if name == "__get__":
            owner = getattr(func, "__self__", None)
            name = "T" if owner is Tensor.T else "mT" if owner is Tensor.mT else ""
        share = int((before != kept).sum())
        if share * self._rows > kept.numel() > 1:
            self.spread, self.spread_line = name, _line()
            if name.endswith("softmax") and kept.dim() >= 2 and len(kept) == self._rows:
                sums = (kept.exp() if name == "log_softmax" else kept).float().sum(0)
                self.over_rows = list(kept.shape) if bool(((sums - 1).abs() < 1e-4).all()) else None
            self.by_weights = name in _MIXED_BY_WEIGHTS or (
                name in ("matmul", "mm", "__matmul__", "einsum", "__rmatmul__") and isinstance(args[-1], nn.Parameter)
            )
        elif name in MOVING and share > 0 and kept.dim() and leaves_rows(before, kept):
            self.moved, self.moved_line = name, _line()
            self.moved_in_rows = len(kept) == self._rows and name in ("reshape", "view", "flatten", "unflatten")
        return result


def leaves_rows(before: Tensor, after: Tensor) -> bool:
    """Whether what changed is no longer one row of the first dimension."""
    rows = (before != after).reshape(len(after), -1).any(dim=1)
    return int(rows.sum()) != 1 or not bool(rows[0])


def _run(model: nn.Module, args: Any, kwargs: Any, follow: "_Follow | None" = None) -> list[Tensor]:
    torch.manual_seed(0)
    args, kwargs = _copied(args, keep=True), _copied(kwargs, keep=True)
    if follow is None:
        return list(tensors_in(model(*args, **kwargs)))
    with _heard(), follow:
        output = model(*args, **kwargs)
    return list(tensors_in(output))


def copy_of(root: nn.Module) -> nn.Module | None:
    """A copy of a model that is small in all that it holds; None of others."""
    if sum(weight.numel() for weight in root.parameters()) > _MOST_WEIGHTS:
        return None
    for module in root.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor):
                if value.numel() > _MOST_NUMBERS:
                    return None
            elif not isinstance(value, nn.Module | int | float | str | bool | list | tuple | dict | set | type(None)):
                if hasattr(value, "__len__") and len(value) > 1000:
                    return None  # a dataset, maybe
            elif isinstance(value, list | tuple | dict | set) and len(value) > 1000:
                return None
    with contextlib.suppress(Exception), torch.no_grad():
        return copy.deepcopy(root)
    return None


def _quiet_copy(root: nn.Module) -> nn.Module:
    """A copy in evaluation mode, without the hooks that somebody has put there."""
    model = copy.deepcopy(root)
    for module in model.modules():
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            getattr(module, name).clear()
    return model.eval()


def _is_time_first(kept: dict[str, Any], output: Tensor) -> bool:
    """Whether the second dimension of the input holds the samples: one output for each, and the loader or a layer says.

    A length alone says nothing: a set of points may well give as many answers as it has points.
    """
    shape = kept["shape"]
    if len(shape) < 2 or shape[1] < 3 or not output.dim() or len(output) != shape[1] or shape[0] == shape[1]:
        return False
    return kept["batch"] == shape[1] or any(
        not one["batch_first"] and one["shape"][:2] == shape[:2] for one in kept["sequences"]
    )


def with_another_first(value: Any, rows: int, axis: int = 0) -> Any:
    """The same input with another first sample; `axis` is where the samples of a sequence are counted."""
    if isinstance(value, Tensor):
        if axis and value.dim() > axis and value.shape[axis] == rows:
            return with_another_first(value.transpose(0, axis), rows).transpose(0, axis)
        if value.dim() and len(value) == rows:
            value = value.clone()
            if value.is_floating_point():
                value[0] = value[0] * 0.5 + 1
            else:
                other = (value != value[:1]).int().argmax(dim=0, keepdim=True)  # a row that has another number there
                value[:1] = value.gather(0, other)
        return value
    if isinstance(value, dict):
        return {key: with_another_first(one, rows, axis) for key, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(with_another_first(one, rows, axis) for one in value)
    return value


def _copied(value: Any, *, keep: bool = False) -> Any:
    if isinstance(value, Tensor):
        return value.clone() if keep else value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(one, keep=keep) for key, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_copied(one, keep=keep) for one in value)
    return value


def _is_plain(value: Any, deep: int = 3) -> bool:
    if value is None or isinstance(value, Tensor | int | float | str | bool):
        return True
    if deep and isinstance(value, dict):
        return all(_is_plain(one, deep - 1) for one in value.values())
    return bool(deep) and type(value) in (list, tuple) and all(_is_plain(one, deep - 1) for one in value)


def _others_move(before: Tensor, after: Tensor) -> bool:
    """Whether rows other than the first changed, by more than rounding."""
    if len(before) < 3 or not before.is_floating_point():
        return False
    change = (after - before).abs()[1:]
    return bool(torch.isfinite(change).all()) and float(change.max()) > 1e-4 * max(1e-6, float(before.abs().max()))


def _line() -> Any:
    frame, _way = own_frame(sys._getframe(2))
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def place_json(line: Any) -> Any:
    """A line of a tape as a place in a fact."""
    if line is None:
        return None
    return Place.at(*line).as_json()


def _reads_forwards(root: nn.Module) -> bool:
    """Whether it has a recurrent net that has seen nothing but the first step when it gives its first output."""
    nets = [one for one in root.modules() if isinstance(one, nn.RNNBase)]
    return bool(nets) and not any(one.bidirectional for one in nets)


def _json(place: Place | None) -> Any:
    return place.as_json() if place is not None else None
