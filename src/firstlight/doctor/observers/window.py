"""What is done with a model's output in the first evaluations: heard only from there to the next batch."""

import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from firstlight.doctor.observers.stand_in import adds_a_weight
from firstlight.doctor.overhearing import Overhearing

_FUNCTIONS = 50  # then it closes
_SECONDS = 2.0

_SAME = {
    "float", "double", "long", "int", "to", "type", "squeeze", "unsqueeze", "view", "reshape", "flatten", "detach",
    "cpu", "cuda", "clone", "contiguous", "__getitem__", "data", "ravel", "view_as", "half", "bool", "abs", "T", "t",
}  # fmt: skip
_PLAIN = _SAME - {"abs", "bool", "long", "int", "__getitem__", "T", "t"}  # the values stay what they were
_EQUAL = {"eq", "__eq__", "ne", "__ne__"}
_MINUS = {"sub", "__sub__", "rsub", "__rsub__"}
_ABOVE = {"gt", "__gt__", "ge", "__ge__", "lt", "__lt__", "le", "__le__"}
_READ = {
    "numpy",
    "tolist",
    "item",
    "__array__",
    "__float__",
    "__int__",
    "__bool__",
    "__iter__",
    "unbind",
    "topk",
    "sort",
}


class _Mode(Overhearing):
    def __init__(self, hear: Callable[..., bool]) -> None:
        super().__init__()
        self._hear = hear

    def hear(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        self.over = not self._hear(func, args, kwargs, result)


class Window:
    """Hears the functions that a model's output goes through, from its call to the next batch, or 50 of them.

    What comes from the output is known by the identity of tensors; none is kept.

    Args:
        tell: Is given what was seen: a name and numbers.
    """

    def __init__(self, witness: Any, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self._witness, self._tell = witness, tell
        self._mode: _Mode | None = None
        self._known: dict[int, tuple[weakref.ref[Tensor], dict[str, Any]]] = {}
        self._masks: dict[int, tuple[weakref.ref[Tensor], weakref.ref[Tensor]]] = {}
        self._left = 0
        self._until = 0.0
        self._rows = 0
        self._best: dict[str, Any] | None = None  # the largest over a dimension, taken out of tensors
        self._answers: Tensor | None = None  # labels, taken out of them
        self._out = False  # whether the output itself was taken out of tensors
        self._rightly = False  # whether the largest over another dimension was asked for

    @property
    def open(self) -> bool:
        """Whether it hears now."""
        return self._mode is not None

    def begin(self, output: Tensor, rows: int) -> None:
        """Hear what is done with this output, unless somebody else's mode is on already."""
        self.end()
        mode = _Mode(self._hear)
        if self._mode is not None or not mode.put_on():
            return
        self._mode = mode
        self._left, self._until = _FUNCTIONS, perf_counter() + _SECONDS
        self._rows, self._best, self._answers, self._out, self._rightly = rows, None, None, False, False
        self._note(output, {"raw": True, "rows": rows, "width": output.shape[-1] if output.ndim > 1 else 1})

    def end(self) -> None:
        """Hear no more."""
        wrongly = self._best is not None and self._best["dim"] == 0
        if self._best is not None and self._answers is not None and not (wrongly and self._rightly):
            self._tell("taken", {**self._best, "labels": self._answers})
        elif self._out and self._answers is not None:
            self._tell("labels", {"labels": self._answers})
        self._known, self._masks, self._best, self._answers = {}, {}, None, None
        if self._mode is not None and self._mode.take_off():
            self._mode = None

    def _note(self, tensor: Tensor, what: dict[str, Any]) -> None:
        self._known[id(tensor)] = weakref.ref(tensor), what

    def _of(self, value: Any) -> dict[str, Any] | None:
        if not isinstance(value, Tensor):
            return None
        found = self._known.get(id(value))
        return found[1] if found is not None and found[0]() is value else None

    def _hear(self, func: Any, args: Any, kwargs: Any, result: Any) -> bool:
        """A function has run; False where no more of them are to be heard."""
        began = perf_counter()
        self._left = self._left - 1 if began <= self._until else 0
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        witness = self._witness
        before, witness._local.deaf = witness._local.deaf, True
        try:
            with torch._C.DisableTorchFunction(), torch.no_grad():
                self._follow(name, args, kwargs, result)
        except Exception:  # noqa: BLE001 - what a learner computes is worth more than what we hear of it
            self._left = 0
        finally:
            witness._local.deaf = before
            witness.own_s += perf_counter() - began
        return self._left > 0

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        values = [*args, *kwargs.values()]
        if name in ("stack", "cat") and values and isinstance(values[0], list | tuple):
            values = list(values[0])
        known = next((one for value in values if (one := self._of(value)) is not None), None)
        if known is None:
            self._mask(name, args, result)
            first = args[0] if args else None
            if name in _READ and isinstance(first, Tensor) and first.dtype == torch.int64:
                self._answers = first.detach().clone() if first.shape == (self._rows,) else self._answers
            return
        if name in ("__getitem__", "__and__", "bitwise_and", "logical_and", "masked_select"):
            self._apart(values)
        single = name == "topk" and 1 in (kwargs.get("k"), *args[1:2])
        if (single or name in ("argmax", "max", "min", "argmin")) and isinstance(args[0], Tensor):
            self._largest(name, args, kwargs, result, known)
        elif (
            isinstance(result, Tensor)
            and len(args) > 1
            and (name in _EQUAL or (name in _MINUS and _is_outer(args, result)))
        ):
            self._equal(args, result)
        elif name in _ABOVE and isinstance(result, Tensor):
            self._above(name, args, result, known)
        elif name == "round" and known.get("raw"):
            self._threshold(args[0], result, known, 0.5)
        elif name in _READ:
            if known.get("best") and len(known["from"]) == 2 and not known["moved"]:
                self._best = {**known, "made": known["place"], "place": self._place()}
            self._out |= bool(known.get("raw"))
            self._tell("read", {})
        elif isinstance(result, Tensor):
            kept = dict(known)
            if adds_a_weight(name, args):
                name = "detach"  # the values are what the last layer gives
            if name not in _PLAIN:
                kept["raw"] = False
            if name in ("__getitem__", "T", "t", "transpose", "permute", "cat", "stack", "mean"):
                kept["moved"] = True
            if name not in _SAME:
                kept["other"] = True
                self._tell("read", {})
            self._note(result, kept)

    def _mask(self, name: str, args: Any, result: Any) -> None:
        """Labels compared with one class: what is chosen by that will be answers for this class."""
        if name not in _EQUAL or len(args) != 2 or not isinstance(args[0], Tensor) or not isinstance(result, Tensor):
            return
        if not isinstance(args[1], Tensor) or args[1].numel() == 1:
            self._masks[id(result)] = weakref.ref(result), weakref.ref(args[0])

    def _apart(self, values: list[Any]) -> None:
        for value in values:
            found = self._masks.get(id(value))
            labels = found[1]() if found is not None and found[0]() is value else None
            if labels is not None:
                self._tell("labels", {"labels": labels})

    def _largest(self, name: str, args: Any, kwargs: Any, result: Any, known: dict[str, Any]) -> None:
        tensor = args[0]
        at = 2 if name == "topk" else 1
        dim = kwargs.get("dim", kwargs.get("axis", args[at] if len(args) > at else -1 if name == "topk" else None))
        found = result if isinstance(result, Tensor) else result[1]
        if not isinstance(dim, int):
            return
        kept = {
            "best": True, "dim": dim % max(tensor.ndim, 1), "from": list(tensor.shape), "rows": known["rows"],
            "moved": known.get("moved", False), "place": self._place(),
        }  # fmt: skip
        self._note(found, kept)
        self._rightly |= kept["dim"] != 0
        self._tell("read", {})

    def _above(self, name: str, args: Any, result: Tensor, known: dict[str, Any]) -> None:
        left, right = (args[0], args[1]) if self._of(args[0]) is not None else (args[1], args[0])
        number = right.item() if isinstance(right, Tensor) and right.numel() == 1 else right
        if known.get("raw") and isinstance(number, int | float):
            self._threshold(left, result, known, float(number))
        else:
            self._note(result, {**known, "raw": False, "choice": True})
            self._tell("read", {})

    def _threshold(self, tensor: Tensor, result: Tensor, known: dict[str, Any], number: float) -> None:
        outside = ((tensor < 0) | (tensor > 1)).float().mean().item() if tensor.is_floating_point() else 0.0
        between = ((tensor > 0) & (tensor <= number)).float().mean().item()
        kept = {
            **known, "raw": False, "choice": True, "threshold": number, "outside": outside, "between": between,
            "from": list(tensor.shape), "place": self._place(),
        }  # fmt: skip
        self._note(result, kept)
        self._tell("threshold", kept)

    def _equal(self, args: Any, result: Tensor) -> None:
        left, right = args[0], args[1]
        known, other = self._of(left), self._of(right)
        mine, label = (left, right) if known is not None else (right, left)
        told = known or other
        if told is None or not isinstance(label, Tensor) or (known is not None and other is not None):
            return
        self._note(result, {"rows": told["rows"], "match": True})
        fact = {
            "mine": list(mine.shape), "label": list(label.shape), "result": list(result.shape), "place": self._place(),
            **{k: v for k, v in told.items() if k != "place"}, "made": told.get("place"),
        }  # fmt: skip
        self._tell("equal", {**fact, "labels": label, "chosen": mine})

    def _place(self) -> Any:
        place = self._witness.place()
        return place and place.as_json()


def _is_outer(args: Any, result: Tensor) -> bool:
    """Whether a column (N, 1) and a row (N,) have made a table."""
    shapes = sorted((tuple(one.shape) for one in args if isinstance(one, Tensor)), key=len)
    rows = shapes[0][0] if len(shapes) == 2 and len(shapes[0]) == 1 else 0
    return rows > 1 and shapes[1] == (rows, 1) and tuple(result.shape) == (rows, rows)
