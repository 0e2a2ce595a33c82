"""A film of the first steps of a training: enough to run them again on copies, as written and as mended.

It holds copies only, within a budget of memory and time, of one model that one optimizer trains on a CPU. Where that
is not what it sees, there is no film.
"""

import contextlib
import copy
import math
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter, thread_time
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader, Dataset

from firstlight.doctor.formulas import MARK, Formula, Reader, Unknown
from firstlight.doctor.losses import tensors_in
from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.graph.source import own_frame

MOST_FRAMES = 64
_FEWEST = 16  # frames that are filmed whatever the time
_MODEL_BYTES = 200 * 2**20
_BATCH_BYTES = 32 * 2**20
_FREE_S, _SHARE = 0.004, 0.005  # of the training's time, for what follows the copy of the model
_STARTS = 3  # a first call that teaches nothing, such as a trial, begins no film
_CLIPS = {"clip.norm": "norm", "clip.norm2": "norm", "clip.value": "value", "clip.value2": "value"}
_PLAIN = (int, float, str, bool, type(None))


@dataclass
class Frame:
    """One forward and backward pass.

    Attributes:
        args: What the root was given, copied.
        kwargs: By name.
        numbers: The state of the random numbers before.
        training: The root's mode.
        formula: Of the loss.
        given: Targets and class weights.
        loss: Its value.
        rows: Of the batch.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    numbers: Tensor
    training: bool
    formula: Formula = field(default_factory=lambda: Formula(""))
    given: tuple[Tensor, ...] = ()
    loss: float = 0.0
    rows: int = 0


class Film(Observer):
    """Gives no facts: `firstlight.doctor.replay` asks for the film itself.

    Attributes:
        model: The root as it was before its first call, None where there is no film.
        optimizer: The optimizer as it was before its first step; it holds weights of `model`.
        frames: In their order.
        events: What happened, in its order: `("backward", frame)`, `("clear",)`, `("bare",)` (gradients were none),
            `("clip", kind, limit, norm)`, `("step", settings)`.
        copied_s: Seconds that the copy of the model took.
        cost_s: And all the rest, from the third frame on.
    """

    hears: ClassVar = {
        "clip.norm": ("torch.nn.utils", "clip_grad_norm_"),
        "clip.norm2": ("torch.nn.utils.clip_grad", "clip_grad_norm_"),
        "clip.value": ("torch.nn.utils", "clip_grad_value_"),
        "clip.value2": ("torch.nn.utils.clip_grad", "clip_grad_value_"),
        "progress.l1_loss": ("torch.nn.functional", "l1_loss"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self.model: nn.Module | None = None
        self.optimizer: Optimizer | None = None
        self.frames: list[Frame] = []
        self.events: list[tuple[Any, ...]] = []
        self.over = False
        self.copied_s = self.cost_s = 0.0
        self._root: weakref.ref[nn.Module] | None = None
        self._theirs: weakref.ref[Optimizer] | None = None
        self._unread: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._starts = 0
        self._pending: Frame | None = None
        self._calls = 0
        self._bytes = 0
        self._names: dict[int, str] = {}
        self._witness: weakref.ref[Tensor] | None = None  # the weight whose gradient stands for all
        self._candidates: list[weakref.ref[Tensor]] = []
        self._stepping = self._clipping = False
        self._began = perf_counter()

    def whole(self) -> bool:
        """Whether there is something to replay."""
        return self.model is not None and self.optimizer is not None and len(self.frames) >= 3

    def segments(self) -> list[list[tuple[Any, ...]]]:
        """The events from step to step, each ending with its step."""
        found: list[list[tuple[Any, ...]]] = [[]]
        for event in self.events:
            found[-1].append(event)
            if event[0] == "step":
                found.append([])
        return [one for one in found[:-1] if any(event[0] == "backward" for event in one)]

    def _void(self) -> None:
        """Something that cannot be replayed: there is no film."""
        self.model = self.optimizer = self._pending = None
        self.frames, self.events, self.over = [], [], True
        self._names, self._candidates = {}, []
        self.witness.heard_out(self)

    def _cut(self) -> None:
        """The film ends here; what was filmed remains."""
        while self.events and self.events[-1][0] != "step":
            self.events.pop()
        self.over, self._pending, self._names, self._candidates = True, None, {}, []
        self.witness.heard_out(self)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = thread_time()  # what the processor did for us, and not what it did for others meanwhile
        try:
            yield
        finally:
            self.cost_s += thread_time() - began

    # What it hears.

    def forward_begins(self, call: Call) -> None:
        if self.over or not call.grad:
            return
        if self._stepping:
            self._void()
            return
        with self._timed():
            root = self._root() if self._root is not None else None
            if root is not None and not self.frames and self._pending is not None and self._starts < _STARTS:
                root = None  # its first call taught nothing
            if root is None and not self.frames:
                if call.module in self._unread:
                    return
                self._start(call.module)
                root = call.module if self.model is not None else None
            if root is not call.module:
                return
            args, kwargs = self._kept(call.args), self._kept(call.kwargs)
            if args is None or kwargs is None or torch.is_autocast_enabled("cpu"):
                self._end()
                return
            self._pending = Frame(args, kwargs, torch.get_rng_state(), call.training)
            self._calls += 1

    def _start(self, root: nn.Module) -> None:
        self._starts += 1
        self.events, self.model, self._pending, self._root = [], None, None, None
        if self._starts > _STARTS:
            self._void()
            return
        if not _may_be_copied(root):
            self._unread.add(root)
            return
        began, own, numbers = perf_counter(), thread_time(), torch.get_rng_state()
        try:
            self.model = copy.deepcopy(root)
        except Exception:  # noqa: BLE001 - whatever a module does when it is copied
            self.model = None
            return
        finally:
            torch.set_rng_state(numbers)
            self.copied_s += perf_counter() - began
            self.cost_s -= thread_time() - own
        self._root = weakref.ref(root)
        self._names = {id(weight): name for name, weight in root.named_parameters()}
        self._began = perf_counter()

    def _end(self) -> None:
        if len(self.frames) >= 3:
            self._cut()
        else:
            self._void()

    def forward(self, call: Call) -> None:
        if self.over or self._pending is None or self._root is None or self._root() is not call.module:
            return
        with self._timed():
            for at, tensor in enumerate(tensors_in(call.output)):
                node: Any = tensor.grad_fn
                if node is not None:
                    node.metadata.setdefault(MARK, {})[tensor.output_nr] = (self._calls, at)

    def batch(self, feed: Feed, batch: Any) -> None:
        if not self.over:
            self._candidates = [weakref.ref(tensor) for tensor in tensors_in(batch)][:8]

    def backward_begins(self, going: Backward) -> None:
        if self.over or self.model is None:
            return
        frame, self._pending = self._pending, None
        loss = going.losses[0] if going.losses else None
        if going.by != "backward" or len(going.losses) != 1 or loss is None or loss.numel() != 1:
            self._end()
            return
        if frame is None or going.retain or going.create or self._stepping:
            self._end()
            return
        with self._timed():
            first = next((t for t in (*frame.args, *frame.kwargs.values()) if isinstance(t, Tensor) and t.dim()), None)
            frame.rows = len(first) if first is not None else 0
            candidates = [tensor for one in self._candidates if (tensor := one()) is not None]
            reader = Reader(self._calls, self._names, candidates, frame.rows)
            try:
                try:
                    frame.formula = reader.read(loss)
                except Unknown:
                    reader = Reader(self._calls, self._names, [*_in_sight(), *candidates], frame.rows)
                    frame.formula = reader.read(loss)
            except Unknown:
                root = self._root() if self._root is not None else None
                if self.frames or root is None or self._starts >= _STARTS:
                    self._end()
                    return
                self._unread.add(root)  # this model is not the one that learns here
                self.model, self._root = None, None
                return
            kept = self._kept(tuple(reader.given), old=self.frames[-1].given if self.frames else ())
            if kept is None:
                self._end()
                return
            frame.given, frame.loss = kept, float(loss.detach())
            weight = self._witness() if self._witness is not None else None
            if weight is not None and weight.grad is None:
                self.events.append(("bare",))
            self.events.append(("backward", len(self.frames)))
            self.frames.append(frame)

    def backward(self, going: Backward) -> None:
        if self.over or self.model is None or self._witness is not None or self._root is None:
            return
        root = self._root()
        found = next((w for w in root.parameters() if w.grad is not None), None) if root is not None else None
        self._witness = weakref.ref(found) if found is not None else None

    def cleared(self, owner: Any) -> None:
        if self.over or self.model is None or self._root is None or self._stepping:
            return
        if owner is self._root():
            self.events.append(("clear",))
        elif isinstance(owner, Optimizer):
            if self._theirs is None:
                self._theirs = weakref.ref(owner)
            if self._theirs() is owner:
                self.events.append(("clear",))

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.over or self.model is None:
            return
        if name == "progress.l1_loss":
            self._candidates = [weakref.ref(one) for one in args[1:2] if isinstance(one, Tensor)]
        elif not self._clipping:
            self._clipping = True  # the same call, heard under its other name, is inside of this one
            kind = _CLIPS[name]
            limit = args[1] if len(args) > 1 else kwargs.get("max_norm", kwargs.get("clip_value"))
            order = args[2] if len(args) > 2 else kwargs.get("norm_type", 2.0)
            if not isinstance(limit, int | float) or not isinstance(order, int | float):
                self._end()
                return
            self.events.append(("clip", kind, float(limit), float(order) if kind == "norm" else 2.0))

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self._clipping = False

    def step_begins(self, optimizer: Optimizer) -> None:
        self._stepping, self._clipping = True, False
        if self.over or self.model is None:
            return
        if not self.frames:
            return
        if self.optimizer is None:
            self._theirs = weakref.ref(optimizer)
            with self._timed():
                self.optimizer = self._twin(optimizer)
            if self.optimizer is None:
                self._void()
                return
        elif self._theirs is None or self._theirs() is not optimizer:
            self._void()
            return
        self.events.append(("step", settings(optimizer)))

    def step(self, optimizer: Optimizer) -> None:
        self._stepping = False
        if self.over or not self.frames:
            return
        if len(self.frames) <= 2:
            self.cost_s = 0.0  # what is done for the first time takes longer, and says nothing about the next ones
        elapsed = perf_counter() - self._began
        costly = len(self.frames) >= _FEWEST and self.cost_s > _FREE_S + _SHARE * elapsed
        if len(self.frames) >= MOST_FRAMES or self._bytes > _BATCH_BYTES or costly:
            self._cut()

    def _twin(self, optimizer: Optimizer) -> Optimizer | None:
        """A copy that holds the weights of our copy of the model."""
        root = self._root() if self._root is not None else None
        if root is None or self.model is None:
            return None
        own = {id(weight) for weight in root.parameters()}
        held = [w for group in optimizer.param_groups for w in group["params"]]
        other = sum(w.nbytes for w in held if id(w) not in own)
        state = sum(t.nbytes for one in optimizer.state.values() for t in tensors_in(one))
        if other + state > _MODEL_BYTES or any(w.device.type != "cpu" for w in held):
            return None
        pairs = list(zip(root.parameters(), self.model.parameters(), strict=False))
        if len(pairs) < max(sum(1 for _one in root.parameters()), sum(1 for _one in self.model.parameters())):
            return None  # it has got other layers since
        memo: dict[int, Any] = {id(theirs): ours for theirs, ours in pairs}
        try:
            return copy.deepcopy(optimizer, memo)
        except Exception:  # noqa: BLE001 - whatever an optimizer does when it is copied
            return None

    def _kept(self, value: Any, old: Any = None) -> Any:
        """A copy of what was given; None where that is not possible. What has not changed is kept once."""
        if old is None and self.frames:
            last = self.frames[-1]
            old = last.args if isinstance(value, tuple) else last.kwargs
        items = value.items() if isinstance(value, dict) else enumerate(value)
        kept: dict[Any, Any] = {}
        for key, one in items:
            if isinstance(one, Tensor):
                if (
                    one.requires_grad
                    or one.device.type != "cpu"
                    or type(one) is not Tensor
                    or not has_plain_numbers(one)
                ):
                    return None
                before = old[key] if isinstance(old, tuple) and isinstance(key, int) and key < len(old) else None
                before = old.get(key) if isinstance(old, dict) else before
                if isinstance(before, Tensor) and before.dtype == one.dtype and torch.equal(before, one):
                    kept[key] = before
                    continue
                self._bytes += one.nbytes
                if self._bytes > 2 * _BATCH_BYTES:
                    return None
                kept[key] = one.detach().clone(memory_format=torch.preserve_format)
            elif isinstance(one, _PLAIN):
                kept[key] = one
            else:
                return None
        return kept if isinstance(value, dict) else tuple(kept.values())


def _in_sight() -> list[Tensor]:
    """The tensors that the learner's function, and what is around it, has names for: one may be the target."""
    frame, _way = own_frame(sys._getframe(1))
    if frame is None:
        return []
    named = [*frame.f_globals.values(), *(frame.f_locals.values() if frame.f_locals is not frame.f_globals else ())]
    return [one for one in named[-200:] if type(one) is Tensor and not one.requires_grad]


def settings(optimizer: Optimizer) -> tuple[tuple[tuple[str, Any], ...], ...]:
    """The numbers of each group that a schedule may change."""
    return tuple(
        tuple((name, _plain(group[name])) for name in ("lr", "momentum", "betas", "weight_decay") if name in group)
        for group in optimizer.param_groups
    )


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Tensor) and value.numel() == 1 else value


def _may_be_copied(root: nn.Module) -> bool:
    """Whether it lies on the CPU, within the budget, and holds nothing but weights and what describes it."""
    if isinstance(root, torch.jit.ScriptModule) or hasattr(root, "_orig_mod"):
        return False
    room = _MODEL_BYTES
    for tensor in (*root.parameters(), *root.buffers()):
        if nn.parameter.is_lazy(tensor) or tensor.device.type != "cpu" or tensor.layout != torch.strided:
            return False
        room -= tensor.nbytes
    for module in root.modules():
        for value in vars(module).values():
            if isinstance(value, Dataset | DataLoader | Optimizer):
                return False
            if isinstance(value, Tensor):
                room -= value.nbytes
            elif isinstance(value, list | tuple | dict) and len(value) > 10_000:
                return False
            elif not isinstance(value, _PLAIN):
                size = getattr(value, "nbytes", 0)
                room -= size if isinstance(size, int) else 0
    return room >= 0 and math.isfinite(room)
