"""What a training costs for nothing: waiting for batches, memory that grows, tests after each batch, moved data."""

import ctypes
import os
import random
import sys
import weakref
from collections import deque
from collections.abc import Iterator
from functools import cache
from multiprocessing import get_start_method
from time import perf_counter
from typing import Any, ClassVar

import numpy
import psutil
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.observers.fingerprint import tensors_in
from firstlight.doctor.places import Place

_MOST_POINTS = 40  # readings of the process's memory; when there are more, every second one is dropped
_MOVES = 96  # calls of `to` that are looked at
_FROM_NUMPY = ("from_numpy", "tensor", "as_tensor")
_ARRAYS = 200  # calls of these that are looked at
_LARGE = 4  # times the batch: what is moved is more than what a step learns from


class Resources(Observer):
    """Fact `resources`: one dictionary."""

    kinds: ClassVar = ("resources",)
    gaps: ClassVar = frozenset({"forward", "backward_begins"})
    hears: ClassVar = {
        "loader_made": ("torch.utils.data.DataLoader", "__init__"),
        "tensor_to": ("torch.Tensor", "to"),
        "module_to": ("torch.nn.Module", "to"),
        "from_numpy": ("torch", "from_numpy"),
        "tensor": ("torch", "tensor"),
        "as_tensor": ("torch", "as_tensor"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._loaders: list[dict[str, Any]] = []
        self._feeds: list[dict[str, Any]] = []
        self._feed: tuple[Feed, float, float, dict[str, Any]] | None = None
        self._memory: list[tuple[int, int]] = []
        self._every = 8
        self._steps = 0
        self._anomaly = self._backwards = 0
        self._types: dict[str, dict[str, Any]] = {}
        self._moved: deque[dict[str, Any]] = deque(maxlen=16)
        self._moves = self._arrays = 0
        self._double: Place | None = None
        self._batch: tuple[int, int] = (0, 0)  # rows and numbers that a step learns from
        self._learning: weakref.ref[nn.Module] | None = None
        self._tested = self._learned = 0  # rows since the last step
        self._tests: dict[str, Any] = {"steps": 0, "heavy": 0, "tested": 0, "learned": 0, "same": 0, "place": None}
        self._input: weakref.ref[Tensor] | None = None
        self._singles: dict[str, Any] = {
            "steps": 0, "calls": 0, "apart": 0, "even": True, "place": None,
        }  # fmt: skip
        self._single = 0
        self._figures: list[int] = []
        self._warned: dict[str, Any] | None = None

    def missed(self) -> None:
        self._tested = self._learned = self._single = 0

    # Loaders.

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name in _FROM_NUMPY:
            self._from_numpy(args, kwargs, result)
            return
        if name != "loader_made":
            self._to(name, args, result)
            return
        loader = args[0]
        workers = getattr(loader, "num_workers", 0)
        if not workers or len(self._loaders) >= 32:
            return
        place = self.witness.place()
        context = getattr(loader, "multiprocessing_context", None)
        method = context.get_start_method() if context is not None else get_start_method(allow_none=False)
        own = [loader.dataset, getattr(loader, "collate_fn", None), getattr(loader, "worker_init_fn", None)]
        self._loaders.append({
            "workers": workers, "cores": _cores(), "method": method, "place": place and place.as_json(),
            "in_cell": [_name(one) for one in own if _is_of_a_cell(one)], "step": self.witness.step,
            "dataset": type(loader.dataset).__name__,
            "persistent": bool(getattr(loader, "persistent_workers", False)),
            "copied": [] if own[2] is not None else _generators(loader.dataset),
        })  # fmt: skip

    def feed_begins(self, feed: Feed) -> None:
        self._feed = None

    def batch(self, feed: Feed, batch: Any) -> None:
        """The first batches, for which workers start and files are opened, are not counted."""
        now = perf_counter()
        if self._feed is None or self._feed[0] is not feed:
            if feed.count < 3 or len(self._feeds) >= 64:
                return
            row = {"batches": 0, "waited_s": 0.0, "all_s": 0.0, "learned": 0, "place": None,
                   "workers": getattr(feed.loader, "num_workers", 0), "step": self.witness.step}  # fmt: skip
            row["place"] = feed.place and feed.place.as_json()
            self._feeds.append(row)
            self._feed = feed, now, feed.waited_s, row
            return
        _same, began, waited, row = self._feed
        row.update(batches=row["batches"] + 1, waited_s=feed.waited_s - waited, all_s=now - began, learned=feed.learned)

    # Types.

    def _from_numpy(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Where an array first became a tensor of float64, of which nothing was said."""
        self._arrays += 1
        array = args[0] if len(args) == 1 and not kwargs.get("dtype") else None
        if self._double is None and isinstance(array, numpy.ndarray | numpy.float64) and result.dtype == torch.float64:
            self._double = self.witness.place()
        if self._double is not None or self._arrays >= _ARRAYS:
            for one in _FROM_NUMPY:
                self.witness.enough(self, one)

    # Moving.

    def _to(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        if not self.witness.backwards:
            return  # what is moved while data are made says nothing of the steps to come
        self._moves += 1
        if self._moves > _MOVES and not any(one["steps"] >= 3 for one in self._moved):
            self.witness.enough(self, "tensor_to")
            self.witness.enough(self, "module_to")
            return
        thing = args[0]
        if isinstance(thing, Tensor) and (thing.ndim < 1 or not thing.shape[0] > self._batch[0] * _LARGE):
            return
        where = args[1] if len(args) > 1 else None
        if where is not None and not isinstance(where, str | torch.device | int):
            return  # a type, or another tensor
        for row in self._moved:
            if row["thing"]() is thing:
                if row["last"] != self.witness.steps:
                    row["last"] = self.witness.steps
                    row["steps"] += 1
                    if row["steps"] == 4:
                        place = self.witness.place()
                        row["place"], row["step"] = place and place.as_json(), self.witness.step
                return
        rows = len(thing) if isinstance(thing, Tensor) else 0
        numbers = thing.numel() if isinstance(thing, Tensor) else 0
        self._moved.append({
            "thing": weakref.ref(thing), "last": self.witness.steps, "steps": 1, "place": None, "rows": rows,
            "numbers": numbers, "what": type(thing).__name__, "step": None, "first": self.witness.steps,
        })  # fmt: skip

    # Calls and steps.

    def forward(self, call: Call) -> None:
        inputs = tensors_in(call.args, call.kwargs)
        if not inputs or not inputs[0].ndim:
            return
        first = inputs[0]
        size = len(first)
        learning = self._learning() if self._learning is not None else None
        if call.grad and (call.training or learning is None):
            self._learned += size
            self._learning = weakref.ref(call.module)
            self._batch = size, first.numel()
            before = self._input() if self._input is not None else None
            if before is first:
                self._tests["same"] += 1
            self._input = weakref.ref(first)
            if (size == 1 or first.ndim == 1) and self._singles["calls"] < 2_000 and self._is_single(call, inputs):
                self._single += 1
                self._singles["calls"] += 1
                if self._singles["place"] is None and self._single == 4:
                    place = self.witness.place()
                    self._singles["place"] = place and place.as_json()
        elif call.module is learning:
            self._tested += size
            if self._tests["place"] is None and self._tests["steps"] > 2:
                place = self.witness.place()
                self._tests["place"] = place and place.as_json()
        if call.close and call.grad and len(self._types) < 16:
            self._type(call, first)

    def _is_single(self, call: Call, inputs: list[Tensor]) -> bool:
        """Whether the model is given one sample alone, that does not wait for another's result.

        One that is no row of a tensor may be all that there is by now, as in a game: the program's text has to tell.
        """
        first, output = inputs[0], call.output
        if first.ndim == 1 and not (first.is_floating_point() and isinstance(output, Tensor) and output.ndim <= 1):
            return False
        if any(one.requires_grad for one in inputs):
            return False  # a state that the call before gave
        shape = tuple(first.shape)
        if self._singles.setdefault("shape", shape) != shape:
            self._singles["even"] = False
        if not (_is_part(first) if first.ndim > 1 else _is_row(first)):
            self._singles["apart"] += 1
        return True

    def _type(self, call: Call, first: Tensor) -> None:
        weight = next(call.module.parameters(), None)
        if weight is None:
            return
        name = f"{type(call.module).__name__}-{weight.dtype}-{first.dtype}"
        self._types.setdefault(name, {
            "model": type(call.module).__name__, "weights": str(weight.dtype).removeprefix("torch."),
            "inputs": str(first.dtype).removeprefix("torch."), "place": call.place and call.place.as_json(),
            "step": self.witness.step, "device": weight.device.type,
        })  # fmt: skip

    def backward_begins(self, going: Backward) -> None:
        self._backwards += 1
        self._anomaly += torch.is_anomaly_enabled()
        if going.close:
            self._figures.append(_open_figures())
            del self._figures[1:-1]

    def step(self, optimizer: Optimizer) -> None:
        tests = self._tests
        if self._learned:
            tests["steps"] += 1
            if self._tested > 0:
                tests["heavy"] += self._tested >= _LARGE * self._learned
                tests["tested"] += self._tested
            tests["learned"] += self._learned
            self._singles["steps"] += self._single >= 8
            self._tested = self._learned = self._single = 0
        self._steps += 1
        if not self._steps % self._every:
            self._read_memory()

    def _read_memory(self) -> None:
        self._memory.append((self.witness.step, _bytes_in_use()))
        if len(self._memory) >= _MOST_POINTS:
            del self._memory[1::2]
            self._every *= 2

    def warned(self, category: str, message: str, place: Any) -> None:
        if "figures have been opened" in message and self._backwards:
            self._warned = place and place.as_json()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was counted."""
        data: dict[str, Any] = {
            "loaders": self._loaders,
            "feeds": [row for row in self._feeds if row["batches"]],
            "memory": self._memory,
            "anomaly": self._anomaly,
            "backwards": self._backwards,
            "types": list(self._types.values()),
            "double": self._double and self._double.as_json(),
            "moved": [
                {k: v for k, v in row.items() if k != "thing"}
                for row in self._moved
                if row["steps"] >= 4 and (not row["numbers"] or row["numbers"] >= _LARGE * max(self._batch[1], 1))
            ],
            "batch": self._batch[0],
            "tests": self._tests,
            "singles": self._singles,
            "figures": [self._figures[0], _open_figures(), self._warned] if self._figures else None,
        }
        if self._loaders or self._backwards:
            yield "resources", data


def _cores() -> int:
    """Those that this process may use, as PyTorch counts them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_of_a_cell(thing: Any) -> bool:
    """Whether its class or function was defined in a notebook's cell, where another process does not find it."""
    home = thing if hasattr(thing, "__qualname__") else type(thing)
    ipython = sys.modules.get("IPython")
    return getattr(home, "__module__", None) == "__main__" and ipython is not None and ipython.get_ipython() is not None


def _generators(dataset: Any) -> list[str]:
    """Attributes in which a dataset keeps random numbers of its own: each worker begins with a copy."""
    kinds = (numpy.random.Generator, numpy.random.RandomState, random.Random, torch.Generator)
    return [name for name, one in getattr(dataset, "__dict__", {}).items() if isinstance(one, kinds)]


def _name(thing: Any) -> str:
    return str(getattr(thing, "__name__", type(thing).__name__))


def _is_part(tensor: Tensor) -> bool:
    """Whether one sample is a row of a tensor that holds many."""
    if type(tensor) is not Tensor or tensor.layout != torch.strided or not tensor.numel():
        return False
    return tensor.untyped_storage().nbytes() >= 8 * tensor.numel() * tensor.element_size()


def _is_row(tensor: Tensor) -> bool:
    """Whether it was taken out of a tensor of many such rows."""
    base = tensor._base
    return base is not None and base.ndim == tensor.ndim + 1 and base.shape[1:] == tensor.shape and len(base) >= 8


class _Mallinfo(ctypes.Structure):
    """What glibc's `mallinfo2` gives."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
    ))  # fmt: skip


@cache
def _mallinfo() -> Any:
    """The function, None where this C library has none."""
    try:
        found = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    found.restype = _Mallinfo
    return found


def _bytes_in_use() -> int:
    """Memory that was asked for and not given back. The process's size would say less: it keeps what is free."""
    ask = _mallinfo()
    if ask is None:
        return int(psutil.Process().memory_info().rss)
    told = ask()
    return int(told.uordblks + told.hblkhd)


def _open_figures() -> int:
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    return len(helpers.Gcf.figs) if helpers is not None else 0
