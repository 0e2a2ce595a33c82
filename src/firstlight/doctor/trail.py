"""`Trail`: which of the learner's lines computed what, while a root runs for the first times.

A root's first calls run under a `TorchFunctionMode`, which runs each function unchanged and then writes the line into
the metadata of the autograd node that came of it, where it lives as long as the node and holds nothing. What leaves
autograd (`detach`, `.data`, `no_grad`, ...) is listed beside the modules that ran, in their order.
"""

import sys
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from firstlight.doctor.places import Place
from firstlight.graph.source import own_frame

KEY = "firstlight.line"
FROM = "firstlight.from"  # in the metadata of a node: the last layers with weights that its values came through
_WRITING = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"}
_NOT_WRITING = {"requires_grad_", "detach_", "retain_grad_", "share_memory_"}
_MOST_WRITTEN = 8
_MOST = 2000  # events of one call that are kept
# Functions whose result has no gradient although what they were given has one. Comparisons and shapes are not listed:
# a mask is made of the values, and is meant to have no gradient.
_CUTTING = {"detach", "detach_", "numpy", "tensor", "as_tensor", "argmax", "item", "tolist", "new_tensor", "one_hot",
            "round", "sign", "data", "requires_grad_", "from_numpy", "multinomial", "searchsorted", "bucketize",
            "long", "int", "to"}  # fmt: skip

# Functions that tell something of a tensor, and not what is in it.
SAYS_ONLY = {"size", "dim", "numel", "is_floating_point", "stride", "__len__", "register_hook", "retain_grad",
              "is_contiguous", "type", "element_size", "nelement", "ndimension", "__repr__", "__format__"}  # fmt: skip


class Trail(TorchFunctionMode):
    """One call of a root, line by line.

    Attributes:
        events: In their order, `("module", name, class)` and `("cut", function, place)`.
        lost: Of a layer's name, the last function that was given its result, or what was made of it, and gave a value
            without a gradient; and the line.
        written: What wrote over values of the graph without autograd seeing it, by `.data` or under `no_grad`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, str, Any]] = []
        self.lost: dict[str, tuple[str, Any]] = {}
        self.written: list[tuple[str, Any]] = []
        self._aside: dict[int, weakref.ref[Tensor]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run it as it is, then note the line."""
        result = func(*args, **(kwargs or {}))
        try:
            self._note(func, args, result)
        except Exception:  # noqa: BLE001 - a tensor of an unusual kind: its line is not known, and nothing is lost
            return result
        return result

    def _note(self, func: Callable[..., Any], args: tuple[Any, ...], result: Any) -> None:
        name = getattr(func, "__name__", "")
        if name in ("__get__", "__set__"):
            of_data = getattr(func, "__self__", None) is torch.Tensor.data
            if of_data and name == "__set__" and args[0].grad_fn is not None:
                self._write(".data")
            name = "data" if of_data and name == "__get__" else ""
            if not name:
                return
            if args[0].grad_fn is not None:
                self._aside[id(result)] = weakref.ref(result)
        elif name in _WRITING or (name.endswith("_") and not name.endswith("__") and name not in _NOT_WRITING):
            self._note_writing(args)
        if isinstance(result, Tensor) and result.requires_grad:
            node: Any = result.grad_fn
            if node is not None and KEY not in node.metadata:
                node.metadata[KEY] = _line()
            if node is not None and FROM not in node.metadata:
                node.metadata[FROM] = _came_from(args)
            return
        if len(self.lost) < _MOST and name not in SAYS_ONLY:
            for layer in _came_from(args):
                self.lost[layer] = name, _line()
        if len(self.events) < _MOST and any(isinstance(one, Tensor) and one.requires_grad for one in args):
            if not torch.is_grad_enabled():
                name = "no_grad"
                if self.events and self.events[-1][:2] == ("cut", name):
                    return
            if name == "no_grad" or name in _CUTTING:
                self.events.append(("cut", name, _line()))

    def _note_writing(self, args: tuple[Any, ...]) -> None:
        """Something is changed in place: a value that autograd computed, and that it does not see changing?"""
        changed = args[0] if args else None
        if not isinstance(changed, Tensor):
            return
        if _is_of(changed, self._aside):
            self._write(".data")
        elif changed.grad_fn is not None and not torch.is_grad_enabled():
            self._write("no_grad")

    def _write(self, how: str) -> None:
        if len(self.written) < _MOST_WRITTEN:
            self.written.append((how, _line(4)))


def _is_of(tensor: Any, aside: "dict[int, weakref.ref[Tensor]]") -> bool:
    """Whether a tensor is one of these, or a part of one."""
    return any(one is not None and id(one) in aside and aside[id(one)]() is one for one in (tensor, tensor._base))


def _came_from(args: Any, deep: int = 2) -> frozenset[str]:
    found: set[str] = set()
    for one in args:
        if isinstance(one, Tensor):
            node: Any = one.grad_fn
            if node is not None:
                found |= node.metadata.get(FROM, ())
        elif deep and isinstance(one, list | tuple):
            found |= _came_from(one, deep - 1)
    return frozenset(found)


def line_of(node: Any) -> Place | None:
    """The learner's line that computed what this node stands for, None where it is not known."""
    found = node.metadata.get(KEY) if node is not None else None
    return place_at(found)


def place_at(line: Any) -> Place | None:
    """A line of a trail as a place."""
    if line is None:
        return None
    return Place.at(*line)


def _line(depth: int = 3) -> tuple[str, int, str] | None:
    frame, _way = own_frame(sys._getframe(depth))
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
