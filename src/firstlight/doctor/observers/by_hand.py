"""One step of a training outside of any one model: nets of functions and tensors, several models, batches made by hand.

Once, from the end of a step to the next backward pass, each function is noted with what it was given. From this tape
the lines of the graph are known. The functions that follow from the batch then run again, as they were and with one
sample changed: which other samples change with it? And it tells which weights were used and are not reached by the
loss, and what left autograd after them.

Shapes: N samples.
"""

import contextlib
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import thread_time
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from firstlight.doctor.losses import LossGraph, tensors_in
from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.doctor.observers.mixing import MOVING, SEQUENCES, leaves_rows, place_json, with_another_first
from firstlight.doctor.overhearing import Overhearing
from firstlight.doctor.trail import KEY, SAYS_ONLY
from firstlight.graph.source import own_frame

_MOST = 3000  # functions of a step
_MOST_NUMBERS = 4_000_000  # that they gave
_SECONDS = 1.0  # of this thread
_TRIES = 3
_LATE = 60  # backward passes, after which no tape begins any more
_ROWS = (3, 4096)  # of a batch
_BATCH = 300_000  # numbers of a batch
# What takes some rows out of a dataset, or puts samples together: what it gives may be the batch.
_PICKS = {"__getitem__", "index_select", "select", "narrow", "split", "chunk", "unbind", "__iter__", "take", "gather",
          "split_with_sizes", "tensor_split", "index"}  # fmt: skip
_JOINS = {"stack", "cat", "concat", "concatenate", "vstack", "hstack", "pad_sequence", "_pad_sequence"}
_MADE = {"tensor", "as_tensor", "from_numpy", "rand", "randn", "randint", "normal", "zeros", "ones", "empty", "full"}
_INTO = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"}
_LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "bilinear", "addmm"}
# What writes into tensors that it is given: running means and spreads, rows of a table that are made shorter.
_WRITES = {"batch_norm", "instance_norm", "native_batch_norm", "embedding", "embedding_bag"}
_PRODUCTS = {"matmul", "mm", "__matmul__", "einsum", "__rmatmul__", "mv", "bmm"}
# Private: whether torch.func transforms what runs.
_transforms: Callable[[], Any] = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: None)


@dataclass(eq=False)
class _Entry:
    """One function: what it was given and gave, and the learner's line."""

    func: Any
    name: str
    args: Any
    kwargs: Any
    result: Any
    line: Any
    grad: bool

    def given(self) -> list[Tensor]:
        return list(tensors_in((self.args, self.kwargs)))

    def gave(self) -> list[Tensor]:
        return list(tensors_in(self.result))


class _Tape(Overhearing):
    """Notes each function.

    Attributes:
        broken: What went wrong where noting failed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[_Entry] = []
        self.broken: Exception | None = None
        self._numbers = 0
        self._until = thread_time() + _SECONDS

    def hear(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        try:
            self._note(func, args, kwargs, result)
        except Exception as error:  # noqa: BLE001 - the learner's step goes on; told when the step is read
            self.broken, self.over, self.spoiled = error, True, True

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
            if name not in ("T", "mT", "H", "mH", "data", "real"):
                return
        if name in SAYS_ONLY or name in ("__set__", "backward") or name.startswith(("_set_grad", "_record_function")):
            return
        if _transforms() is not None or len(self.entries) >= _MOST or self._numbers > _MOST_NUMBERS:
            self.over = self.spoiled = True
            return
        if thread_time() > self._until:
            self.over = self.spoiled = True
            return
        entry = _Entry(func, name, args, kwargs, result, _line(), torch.is_grad_enabled())
        for tensor in entry.gave():
            self._numbers += tensor.numel()
            node: Any = tensor.grad_fn
            if node is not None and KEY not in node.metadata:
                node.metadata[KEY] = entry.line
        self.entries.append(entry)


class ByHand(Observer):
    """Facts `mixing_by_hand` and `cut_by_hand`."""

    kinds: ClassVar = ("mixing_by_hand", "cut_by_hand")
    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._roots: set[int] = set()
        self._sequences: list[dict[str, Any]] = []
        self._waits = False  # for the end of a step
        self._tries = 0
        self._tape: _Tape | None = None
        self._old: list[_Tape] = []  # that could not be taken off when they were over
        self._mixing: list[dict[str, Any]] = []
        self._asked = False
        self._cut: list[dict[str, Any]] = []
        self._reached = 0
        self._optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()

    # When there is a tape.

    def forward_begins(self, call: Call) -> None:
        if not call.grad:
            self._drop()  # an evaluation
        elif len(self._roots) < 8:
            self._roots.add(id(call.module))

    def forward(self, call: Call) -> None:
        if not call.grad or not call.close or not isinstance(call.module, SEQUENCES) or len(self._sequences) >= 8:
            return
        first = next((one for one in call.args if isinstance(one, Tensor)), None)
        if first is not None and first.dim() == 3:
            inner = getattr(call.module, "self_attn", call.module)
            self._sequences.append(
                {"name": "", "layer": type(call.module).__name__, "batch_first": bool(inner.batch_first),
                 "shape": list(first.shape)}
            )  # fmt: skip

    def backward_begins(self, going: Backward) -> None:
        tape, self._waits = self._end(), False
        self._tries += tape is not None
        if tape is not None and tape.broken is not None:
            raise tape.broken
        if tape is not None and not tape.spoiled and going.losses:
            self._asked = True
            began = thread_time()
            self._read(tape, going)
            if thread_time() - began > _SECONDS:
                self._tries = _TRIES
        if tape is not None:
            tape.entries.clear()  # what a step was made of does not outlive it

    def backward(self, going: Backward) -> None:
        alone = len(self._roots) == 1 and self.witness.feed is not None  # a model that others look at, fed by a loader
        self._roots.clear()
        over = self._asked or self._tries >= _TRIES or going.number >= _LATE or "compile" in self.witness.blind
        if over and not self._cut and not self._old:
            self.witness.heard_out(self)
        if over or alone:
            return
        if self._optimizers:
            self._waits = True  # for the step
        else:
            self._begin()

    def optimizer_made(self, optimizer: Optimizer, place: Any) -> None:
        self._optimizers.add(optimizer)

    def step_begins(self, optimizer: Optimizer) -> None:
        self._drop()
        self._optimizers.add(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        if self._waits:  # several optimizers make a step: the tape begins after the last one
            self._begin()
        if self._cut and self.witness.steps in (4, 8, 16, 32):
            for row in self._cut:
                weight = row["weight"]()
                row["seen"] += 1
                row["moved"] |= weight is None or weight.grad is not None or _values(weight) != row["values"]

    def _begin(self) -> None:
        if self._tape is not None:
            return
        tape = _Tape()
        if tape.put_on():
            self._tape, self._sequences = tape, []

    def _end(self) -> _Tape | None:
        tape, self._tape = self._tape, None
        self._old = [one for one in self._old if not one.take_off()]
        if tape is not None and not tape.take_off():
            self._old.append(tape)
        return tape

    def _drop(self) -> None:
        """What nobody will read."""
        tape = self._end()
        if tape is not None:
            tape.entries.clear()

    # What it says.

    def _read(self, tape: _Tape, going: Backward) -> None:
        graph = LossGraph.of(going.losses)
        if not graph.whole:
            return
        self._note_cut(tape, graph)
        for source in islice(_sources(tape.entries), 3):
            with contextlib.suppress(Exception):  # what runs only once is left alone
                again = _Again(source, tape.entries)
                if again.labelled and again.spread:
                    self._mixing.append(self._row(again))
                if again.met and again.labelled:
                    return

    def _row(self, again: "_Again") -> dict[str, Any]:
        return {
            "class": "", "rows": again.rows, "batch": None, "step": self.witness.step, "output": again.output,
            # Where both sides are as long, nothing says which of them holds the samples.
            "sequences": [one for one in self._sequences if one["shape"][0] == again.rows != one["shape"][1]],
            "spread": again.spread,
            "spread_place": place_json(again.spread_line), "moved": again.moved, "moved_in_rows": again.moved_in_rows,
            "moved_place": place_json(again.moved_line), "by_weights": again.by_weights, "over_rows": again.over_rows,
            "called": None,
        }  # fmt: skip

    def _note_cut(self, tape: _Tape, graph: LossGraph) -> None:
        """Weights of an optimizer that were used and are not reached, and what came between them and the loss."""
        held = {id(weight) for one in self._optimizers for group in one.param_groups for weight in group["params"]}
        came: dict[int, set[int]] = {}  # of a tensor, the weights that it was made of
        leaves: dict[int, Tensor] = {}
        lost: dict[int, list[tuple[str, Any, int]]] = {}
        used: set[int] = set()  # tensors that something with a gradient was made of
        for entry in tape.entries:
            given = entry.given()
            sources: set[int] = set()
            for one in given:
                if one.is_leaf and one.requires_grad and id(one) in held:
                    leaves[id(one)] = one
                    sources.add(id(one))
                sources |= came.get(id(one), set())
            for one in entry.gave():
                if sources and id(one) not in leaves:
                    came[id(one)] = came.get(id(one), set()) | sources
                if sources and not one.requires_grad and any(x.requires_grad for x in given):
                    name = entry.name if entry.grad else "no_grad"
                    for weight in sources:
                        lost.setdefault(weight, []).append((name, entry.line, id(one)))
                if one.requires_grad:
                    used |= {id(x) for x in given}
        made_of = {id(one): [id(x) for x in entry.given()] for entry in tape.entries for one in entry.gave()}
        waiting = list(used)
        while waiting:  # and what that was made of
            for key in made_of.get(waiting.pop(), ()):
                if key not in used:
                    used.add(key)
                    waiting.append(key)
        self._reached = sum(1 for weight in leaves if weight in graph.leaves)
        for key, leaf in leaves.items():
            cuts = [one for one in lost.get(key, ()) if one[2] in used]
            if key in graph.leaves or not cuts or len(self._cut) >= 40:
                continue
            self._cut.append(
                {"weight": weakref.ref(leaf), "values": _values(leaf), "moved": leaf.grad is not None, "seen": 0,
                 "shape": list(leaf.shape), "by": cuts[0][0], "place": place_json(cuts[0][1]),
                 "step": self.witness.step, "named": self.witness.name_of(leaf) is not None}
            )  # fmt: skip

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What the tape told."""
        if self._asked:
            yield "mixing_by_hand", self._mixing
        rows = [
            {key: value for key, value in row.items() if key not in ("weight", "values", "moved")}
            for row in self._cut
            if not row["moved"] and ((weight := row["weight"]()) is None or _values(weight) == row["values"])
        ]
        if rows:
            yield "cut_by_hand", {"reached": self._reached, "rows": rows}


class _Again:
    """Runs what follows from a batch twice, side by side: with and without another first sample."""

    def __init__(self, source: Tensor, entries: list[_Entry]) -> None:
        self.rows = len(source)
        self.spread, self.moved = "", ""
        self.spread_line: Any = None
        self.moved_line: Any = None
        self.by_weights = self.moved_in_rows = False
        self.over_rows: list[int] | None = None
        self.output: list[int] = []
        self.labelled = False  # whether a label for each row came in
        self.met = False  # whether it met weights
        plain, other = source.detach().clone(), with_another_first(source.detach(), self.rows)
        self._values: dict[int, tuple[Tensor, Tensor]] = {id(source): (plain, other)}
        state = torch.get_rng_state()
        try:
            with torch.no_grad():
                for at, entry in enumerate(entries):
                    self._turn(at, entry)
        finally:
            torch.set_rng_state(state)

    def _turn(self, at: int, entry: _Entry) -> None:
        given = entry.given()
        if not any(id(one) in self._values for one in given):
            return
        learned = [one for one in given if one.requires_grad]
        self.met |= bool(learned)
        if any(one.requires_grad for one in entry.gave()):
            self.labelled |= any(
                id(one) not in self._values and not one.requires_grad and one.dim() > 0 and len(one) == self.rows
                for one in given
            )
        into = entry.name in _INTO or (entry.name.endswith("_") and not entry.name.endswith("__"))
        if into and given and id(given[0]) not in self._values:
            kept = given[0].detach()
            self._values[id(given[0])] = kept.clone(), kept.clone()
        results = []
        for which in (0, 1):
            torch.default_generator.manual_seed(at)
            apart = into or entry.name in _WRITES or "out" in entry.kwargs
            args, kwargs = self._put(entry.args, which, apart=apart), self._put(entry.kwargs, which, apart=apart)
            results.append(entry.func(*args, **kwargs))
        pairs = list(zip(entry.gave(), tensors_in(results[0]), tensors_in(results[1]), strict=True))
        for one, before, after in pairs:
            self._values[id(one)] = before, after
            if one.requires_grad and one.dim() and len(one) == self.rows:
                self.output = list(one.shape)
        if pairs and not self.spread:
            self._compare(entry, *pairs[0])

    def _compare(self, entry: _Entry, one: Tensor, before: Tensor, after: Tensor) -> None:
        if before.shape != after.shape or not before.numel() or not before.dim():
            return
        share = int((before != after).sum())
        whole = before.numel()
        alone = len(before) == self.rows
        if share * self.rows > whole > 1:
            self.spread, self.spread_line = entry.name, entry.line
            if entry.name.endswith("softmax") and before.dim() >= 2 and alone:
                sums = (before.exp() if entry.name == "log_softmax" else before).float().sum(0)
                self.over_rows = list(before.shape) if bool(((sums - 1).abs() < 1e-4).all()) else None
            given = entry.given()
            weight = given[-1] if entry.name in _PRODUCTS else None
            learned = weight is not None and weight.requires_grad and weight.is_leaf
            self.by_weights = alone and (entry.name in _LAYERS or learned)
            self.moved_in_rows &= alone
        elif entry.name in MOVING and share > 0 and leaves_rows(before, after):
            self.moved, self.moved_line = entry.name, entry.line
            self.moved_in_rows = alone and entry.name in ("reshape", "view", "flatten", "unflatten")

    def _put(self, value: Any, which: int, *, apart: bool) -> Any:
        """What a function is given this time; `apart`: nothing of the program's itself."""
        if isinstance(value, Tensor):
            found = self._values.get(id(value))
            return found[which] if found is not None else value.clone() if apart else value
        if isinstance(value, torch.Generator):
            return value.clone_state()  # the program's own goes on as if nothing had been drawn
        if isinstance(value, dict):
            return {key: self._put(one, which, apart=apart) for key, one in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(self._put(one, which, apart=apart) for one in value)
        return value


def _sources(entries: list[_Entry]) -> Iterator[Tensor]:
    """What may be the batch, in its order: given from outside, taken out of a dataset, or put together."""
    taken: dict[int, list[_Entry]] = {}
    maker: dict[int, _Entry] = {}
    for entry in entries:
        for one in entry.given():
            taken.setdefault(id(one), []).append(entry)
        for one in entry.gave():
            maker.setdefault(id(one), entry)
    seen: set[int] = set()
    for entry in entries:
        for one in (*entry.given(), *entry.gave()):
            if id(one) in seen or one.requires_grad or not one.dim() or one.device.type != "cpu":
                continue
            seen.add(id(one))
            if type(one) is not Tensor or not has_plain_numbers(one) or one.dtype == torch.bool:
                continue
            made = maker.get(id(one))
            if made is not None and made.name not in (_PICKS | _JOINS | _MADE):
                continue
            first = next((user for user in taken.get(id(one), ()) if user is not made), None)
            if first is None or first.name in _JOINS or (first.name in _PICKS and _is_of_data(first, one)):
                continue
            if not _ROWS[0] <= len(one) <= _ROWS[1] or one.numel() > _BATCH:
                continue
            if _is_learned_from(one, entries):
                yield one


def _is_learned_from(tensor: Tensor, entries: list[_Entry]) -> bool:
    """Whether it meets something that has a gradient."""
    followed = {id(tensor)}
    for entry in entries:
        given = entry.given()
        if any(id(one) in followed for one in given):
            if any(one.requires_grad for one in entry.gave()):
                return True
            followed |= {id(one) for one in entry.gave()}
    return False


def _is_of_data(entry: _Entry, tensor: Tensor) -> bool:
    """Whether a function takes something out of this tensor, or by it out of what is not learned."""
    whole = entry.args[0] if entry.args else None
    return whole is tensor or (isinstance(whole, Tensor) and not whole.requires_grad)


def _values(tensor: Tensor) -> list[float]:
    return [float(one) for one in tensor.detach().flatten()[:: max(1, tensor.numel() // 8)][:8].tolist()]


def _line() -> tuple[str, int, str] | None:
    frame, _way = own_frame(sys._getframe(3))
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
