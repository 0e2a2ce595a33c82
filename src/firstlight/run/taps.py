"""Where the recorder listens: `backward`, optimizer steps, loaders, gradient scaling.

The taps are put in place while somebody listens, and taken away again, also when others have wrapped the same functions
in between.
"""

import contextlib
import functools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from firstlight.run.looks import in_backward, unheard
from firstlight.run.loss import LossReader, Reading, scale_of

if TYPE_CHECKING:
    from firstlight.run.recorder import Recorder


_OURS = tuple(f"{Path(__file__).parents[1] / room}{os.sep}" for room in ("run", "doctor", "graph", "view"))
_NOTHING = contextlib.nullcontext()
READ_AT_ONCE = ("cpu",)  # devices where asking for a number waits for nothing


class Wrapped:
    """A function of a module or class, replaced by one that does more, until `restore`.

    Args:
        owner: The module or class.
        name: Its attribute.
        make: Is given the function that was there, and gives the one to put in its place.
    """

    def __init__(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._owner, self._name = owner, name
        self._own = name in vars(owner)
        self._original = vars(owner)[name] if self._own else getattr(owner, name)
        self._active = True
        inside = make(self._original)
        original = self._original

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not self._active:
                return original(*args, **kwargs)
            try:
                return inside(*args, **kwargs)
            except BaseException as error:  # theirs: what we do beside it catches its own
                error.__traceback__ = _without_ours(error.__traceback__)
                raise

        self._wrapper = wrapper
        setattr(owner, name, wrapper)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """A block in which the original stands in its place, where nobody has wrapped us since."""
        mine = vars(self._owner).get(self._name) is self._wrapper
        if mine:
            self._put_back()
        try:
            yield
        finally:
            if mine and self._active:
                setattr(self._owner, self._name, self._wrapper)

    def _put_back(self) -> None:
        if self._own:
            setattr(self._owner, self._name, self._original)
        else:
            delattr(self._owner, self._name)

    def restore(self) -> None:
        """Put back what was there. Where somebody has wrapped us since, we stay inside and only pass calls on."""
        self._active = False
        if vars(self._owner).get(self._name) is not self._wrapper:
            return
        self._put_back()


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback as it would be if nobody listened: a learner is to read their own lines, and torch's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    if trace is not None:
        trace.tb_next = _without_ours(trace.tb_next)
    return trace


class Source:
    """One pass over a loader: hands on its batches unchanged, and counts them."""

    def __init__(self, batches: Iterator[Any], loader: Any, place: threading.local) -> None:
        self._batches = batches
        self._place = place
        self.length = _length(loader)
        self.count = 0
        self.samples = 0
        self.switched = 0.0  # when the loop last came here from another source
        self.waited = 0.0  # seconds that the loop has waited for batches
        self._reference = weakref.ref(self)  # a source that nobody loops over any more says nothing about later steps

    def __iter__(self) -> "Source":
        return self

    def __next__(self) -> Any:
        began = perf_counter()
        if getattr(self._place, "source", None) is not self._reference:
            self.switched = began
        batch = next(self._batches)
        self.waited += perf_counter() - began
        self.count += 1
        self.samples += batch_size(batch)
        self._place.source = self._reference
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


class Taps:
    """All taps of this process, shared by the recorders that listen."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._wrapped: list[Wrapped] = []
        self._loaders: dict[type, Wrapped] = {}
        self._handles: list[Any] = []
        self._reader = LossReader()
        self._scaled: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}
        self.recorders: list[Recorder] = []
        self.quiet = False  # whether nobody wants to know anything of the losses of the step to come
        self.place = threading.local()  # what happens in one thread says nothing about a loop in another

    def add(self, recorder: "Recorder") -> None:
        """Begin to tell a recorder what happens."""
        with self._lock:
            self._reader = LossReader()  # what it learned of other programs is nothing to this one
            leave_to_python()
            self.recorders = [*self.recorders, recorder]  # a new list: others may be walking over the old one
            self.quiet = False
            if not self._handles:
                self._wrapped = [Wrapped(torch.autograd, "backward", self._backward)]
                for name, make in (("scale", self._scale), ("step", self._scaler_step)):
                    self._wrapped.append(Wrapped(torch.amp.GradScaler, name, make))
                self._wrapped += [Wrapped(owner, "zero_grad", self._zero_grad) for owner in (Optimizer, nn.Module)]
                self._handles = [
                    register_optimizer_step_pre_hook(self._before_step),
                    register_optimizer_step_post_hook(self._after_step),
                ]
            for kind in recorder.loaders:
                if kind not in self._loaders:
                    self._loaders[kind] = Wrapped(kind, "__iter__", self._iterate)

    def remove(self, recorder: "Recorder") -> None:
        """Stop telling it; with the last one, everything is put back as it was."""
        with self._lock:
            self.recorders = [other for other in self.recorders if other is not recorder]
            needed = {kind for other in self.recorders for kind in other.loaders}
            for kind in [kind for kind in self._loaders if kind not in needed]:
                self._loaders.pop(kind).restore()
            if self.recorders:
                return
            for wrapped in reversed(self._wrapped):
                wrapped.restore()
            for handle in self._handles:
                handle.remove()
            self._wrapped, self._handles = [], []
            self._scaled.clear()

    def current(self) -> Source | None:
        """The pass over a loader that gave this thread its newest batch, while somebody holds it."""
        reference = getattr(self.place, "source", None)
        return None if reference is None else reference()

    def _failed(self, error: Exception) -> None:
        """A mistake of ours must not end somebody's training."""
        for recorder in self.recorders:
            recorder.give_up(error)

    # Backward. What runs here runs at each step: a step of 1 ms has 30 microseconds for all of it.

    def _backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if self.quiet:
                return original(tensors, *args, **kwargs)
            began = perf_counter()
            place, recorders = self.place, self.recorders
            # Inside another backward (a checkpoint that recomputes) or inside another wrapper of ours: not a loss.
            if getattr(place, "inside", False) or in_backward():
                return original(tensors, *args, **kwargs)
            if len(recorders) > 1:  # loops in several threads: a loss is for the recorder of its own thread
                here = threading.get_ident()
                recorders = [recorder for recorder in recorders if recorder.thread == here] or recorders
            place.inside = True
            try:
                detail, loss = 0, None
                try:
                    for recorder in recorders:
                        detail = max(detail, recorder.before_backward())
                    if detail:
                        heard = any(recorder.looking for recorder in recorders) or torch._C._len_torch_dispatch_stack()
                        with unheard() if heard else _NOTHING:
                            loss = self._look(tensors, detail)
                except Exception as error:  # noqa: BLE001 - whatever it is, the training is worth more than its record
                    self._failed(error)
                inner = perf_counter()
                result = original(tensors, *args, **kwargs)
                outer = perf_counter()
                try:
                    for recorder in recorders:
                        recorder.backward_took(outer - inner)
                        if detail:
                            recorder.after_backward(loss)
                except Exception as error:  # noqa: BLE001 - as above
                    self._failed(error)
                own = inner - began + perf_counter() - outer
                for recorder in recorders:
                    recorder.own_s += own
            finally:
                place.inside = False
            return result

        return backward

    def _look(self, tensors: Any, detail: int) -> "Loss | None":
        """What is known of the loss that is about to go backward; None where it is not a loss.

        Args:
            tensors: What `backward` was given.
            detail: 1 for the value alone, 2 for its factor too, 3 for all that the graph says.
        """
        if not isinstance(tensors, Tensor):
            listed = list(tensors) if isinstance(tensors, list | tuple) else []
            if len(listed) != 1 or not isinstance(listed[0], Tensor):
                return _several(listed)
            tensors = listed[0]
        root = tensors.grad_fn
        if root is None or type(tensors) is not Tensor or tensors.numel() != 1 or _has_no_number(tensors):
            return None
        value: Tensor = tensors
        scaled = self._scaled.pop(id(tensors), None) if self._scaled else None
        if scaled is not None and scaled[0]() is tensors:
            value = scaled[1]
            below = root.next_functions[0][0] if root.next_functions else None
            root = below if below is not None else root
        factor = scale_of(root) if detail > 1 else 1.0
        return Loss(_keep(value), factor, self._reader.read(root) if detail > 2 else None)

    # Gradient scaling.

    def _scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if isinstance(outputs, Tensor) and isinstance(result, Tensor) and result is not outputs:
                if len(self._scaled) > 16:
                    self._scaled.clear()
                self._scaled[id(result)] = (weakref.ref(result), outputs.detach())
            return result

        return scale

    def _scaler_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            before = [(recorder, recorder.count(optimizer)) for recorder in self.recorders]
            result = original(scaler, optimizer, *args, **kwargs)
            for recorder, count in before:
                if count is not None and recorder.count(optimizer) == count:
                    recorder.skipped(optimizer)
            return result

        return step

    # Steps and batches.

    def _zero_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.quiet:
                for recorder in self.recorders:
                    recorder.cleared(owner)
            return original(owner, *args, **kwargs)

        return zero_grad

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.quiet:
            return
        closure = (args[1] if len(args) > 1 else kwargs.get("closure")) is not None  # args[0] is the optimizer
        try:
            for recorder in self.recorders:
                recorder.before_step(optimizer, closure=closure)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _after_step(self, optimizer: Optimizer, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        try:
            source = self.current()
            recorders = self.recorders
            if self.quiet and len(recorders) == 1:
                passed = recorders[0].pass_by(optimizer, source)
                if passed is not None:
                    self.quiet = passed
                    return
            quiet = True
            for recorder in recorders:
                quiet &= recorder.after_step(optimizer, source)
            self.quiet = quiet
        except Exception as error:  # noqa: BLE001 - as above; TrainingStopped is no Exception
            self._failed(error)

    def _iterate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: Any) -> Any:
            batches = original(loader)
            return batches if isinstance(batches, Source) else Source(batches, loader, self.place)

        return iterate


class Loss:
    """One loss that went backward.

    Attributes:
        value: A number, or a tensor where reading would wait for the device.
        factor: The constant that it was multiplied with.
        reading: What its graph said, None where it was not asked.
    """

    __slots__ = ("factor", "reading", "value")

    def __init__(self, value: "Tensor | float", factor: float, reading: Reading | None) -> None:
        self.value, self.factor, self.reading = value, factor, reading


taps = Taps()


def leave_to_python() -> None:
    """Keep torch.compile from compiling the recorder, where a compiled function calls `backward`."""
    rules = sys.modules.get("torch._dynamo.trace_rules")  # there since the first optimizer was made
    if rules is not None and "rules" not in _told:
        with contextlib.suppress(AttributeError):  # a private name; without it, torch.compile compiles a little more
            rules.add("firstlight.run")
            _told.add("rules")


_told: set[str] = set()


def batch_size(batch: Any) -> int:
    """Number of samples in what a loader gave: the length of the first tensor in it."""
    if isinstance(batch, Tensor):
        return batch.shape[0] if batch.dim() else 1
    if isinstance(batch, list | tuple):
        return batch_size(batch[0]) if batch else 0
    if isinstance(batch, dict):
        return batch_size(next(iter(batch.values()))) if batch else 0
    shape = getattr(batch, "shape", None)
    return int(shape[0]) if shape else 0


def _several(tensors: list[Any]) -> Loss | None:
    """Losses that go backward together count as their sum."""
    if not tensors or not all(type(one) is Tensor and one.numel() == 1 and not _has_no_number(one) for one in tensors):
        return None
    total = tensors[0].detach()
    for one in tensors[1:]:
        total = total + one.detach()
    return Loss(_keep(total), 1.0, Reading())


def _keep(value: Tensor) -> Tensor | float:
    """On the CPU the number; elsewhere a copy of the tensor, since asking for the number would wait for the device."""
    return value.item() if value.device.type in READ_AT_ONCE else value.detach().clone()


def _has_no_number(value: Tensor) -> bool:
    """Whether there is nothing to read: on the device `meta`, or where CUDA only writes down what is to be computed."""
    return value.is_meta or (value.is_cuda and torch.cuda.is_current_stream_capturing())


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None
