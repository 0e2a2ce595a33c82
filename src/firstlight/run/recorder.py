"""`Recorder`: fills a `Run` from an unchanged PyTorch loop.

It reads what is there and changes nothing: losses, weights and random numbers are the same bit for bit with and
without it. It measures its own time, and looks less often where it would cost more than its share of the step.
"""

import contextlib
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

from firstlight.locale import _
from firstlight.run.errors import RunEnded
from firstlight.run.points import Row
from firstlight.run.record import Run, TrainingStopped
from firstlight.run.taps import Loss, Source, taps

_BURST_S = 0.05  # numbers are read and handed to the run this often
_INFO_S = 1.0
_SHARE = 0.02  # of the step: above it, look less often
_RAREST = 64  # accuracy is counted at least each 64th step
_WITNESSES = 8  # parameters whose gradients say which optimizer a loss belongs to


class Recorder:
    """Listens to a training loop and writes what happens to a run.

    A step is one `optimizer.step()`, counted from 0. Noted are `train/loss`, `train/accuracy` (for classification),
    `lr`, `samples_per_s`, `step_s`, and now and then `grad/norm`; and the facts `epoch` and `skipped`. With several
    optimizers, each further one has its own names: `train/loss/2`, `lr/2`.

    Args:
        run: Where to write.
        models: A model, several, or None.
        optimizers: An optimizer, several, or None for every optimizer of the models.
        loaders: Classes whose batches are counted.
        classify: Whether to note the accuracy where the loss has labels.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> run = Run()
        >>> with Recorder(run, model, optimizer):
        ...     for step in range(3):
        ...         optimizer.zero_grad()
        ...         torch.nn.functional.cross_entropy(model(torch.ones(4, 2)), torch.ones(4).long()).backward()
        ...         optimizer.step()
        >>> len(run.metric("train/loss")), run.last("lr"), run.info["loss"]
        (3, 0.1, 'cross_entropy')
    """

    def __init__(
        self,
        run: Run,
        models: nn.Module | Iterable[nn.Module] | None = None,
        optimizers: Optimizer | Iterable[Optimizer] | None = None,
        *,
        loaders: tuple[type, ...] = (DataLoader,),
        classify: bool = True,
    ) -> None:
        self.run = run
        self.models = _listed(models, nn.Module)
        self.optimizers = _listed(optimizers, Optimizer)
        self.loaders = loaders
        self.own_s = 0.0
        self._classify = classify
        self._any = not self.optimizers
        self._leader: _Watched | None = None
        self._watched: dict[int, _Watched] = {}
        for optimizer in self.optimizers:
            self._watch(optimizer)
        self._active = False
        self._waiting: deque[_Noted] = deque()
        self._resolving = threading.Lock()
        self._unclaimed: list[Loss] = []
        self._thread: int | None = None
        self._loss_names = 0
        self._known: dict[str, Any] = {}
        self._accuracy_every = 1
        self._next_norm = 0
        self._norm_slowdown = 1
        self._source: Source | None = None
        self._epoch = -1
        self._epoch_first = self._source_samples = 0
        self._planned: int | None = None
        self._mark = self._burst_at = self._info_at = 0.0
        self._burst: list[float] = [0, 0.0, 0, 0.0]  # steps, seconds, samples, own seconds at its begin
        self._costly_bursts = -1  # the first burst pays for what is done once
        self._steps_s = 0.0
        self._stop_seen = 0
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> "Recorder":
        """Begin to listen. A recorder that listens to the same model or optimizer ends, and so does its run."""
        if self._active:
            return self
        for other in list(taps.recorders):
            if self._same(other):
                other.stop()
                other.run.finish()
        self._active = True
        self._mark = self._burst_at = self._info_at = perf_counter()
        self.run.add_source(self.collect)
        self._unsubscribe = self.run.subscribe(self._on_event)
        _rest_when_cells_end(self)
        self._describe()
        taps.add(self)
        return self

    def stop(self) -> None:
        """Stop listening, hand over what is still on its way, and leave no trace in torch."""
        if not self._active:
            return
        self._active = False
        taps.remove(self)
        self.collect()
        self.run.remove_source(self.collect)
        self._unsubscribe()

    def __enter__(self) -> "Recorder":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def overhead(self) -> float:
        """Own time, that of the record's writer thread included, as a share of the time of all steps."""
        return (self.own_s + self.run.writer_cpu_s) / self._steps_s if self._steps_s else 0.0

    # Called by the taps.

    def before_backward(self) -> bool:
        """Note the gradients as they are; answer whether the accuracy is wanted for this loss."""
        wanted = False
        for watched in self._watched.values():
            watched.before = [_version(parameter) for parameter in watched.witnesses]
            wanted = wanted or watched.steps % self._accuracy_every == 0
        return wanted and self._classify

    def after_backward(self, loss: Loss | None) -> None:
        """Give the loss to the optimizers whose gradients it changed."""
        claimed = False
        for watched in self._watched.values():
            after = [_version(parameter) for parameter in watched.witnesses]
            if after == watched.before:
                continue
            claimed = True
            if watched.in_step:  # a closure; of several evaluations the first is at the weights of this step
                if loss is not None and not watched.losses:
                    watched.losses.append(loss)
                continue
            if watched.before != watched.after:  # the gradients were set back since the last loss
                watched.losses.clear()
            watched.after = after
            if loss is not None:
                watched.losses.append(loss)
        if loss is not None and not claimed:
            self._unclaimed.append(loss)
            del self._unclaimed[:-64]

    def before_step(self, optimizer: Optimizer, *, closure: bool) -> None:
        """An optimizer is about to change weights."""
        began = perf_counter()
        watched = self._find(optimizer)
        if watched is None:
            return
        watched.in_step, watched.closure = True, closure
        if not closure and watched.steps >= self._next_norm and self._leads(watched):
            watched.norm = _gradient_norm(optimizer)
        self.own_s += perf_counter() - began

    def after_step(self, optimizer: Optimizer, source: Source | None) -> None:
        """An optimizer has changed weights: one step is complete."""
        began = perf_counter()
        watched = self._find(optimizer)
        if watched is None:
            return
        if self.run.resting:
            self.run.resume()
            self._mark = began
        self._thread = threading.get_ident()
        first = self._leads(watched)
        step = watched.steps
        watched.steps += 1
        watched.in_step = False
        if not watched.losses and self._unclaimed and len(self._watched) == 1 and len(taps.recorders) == 1:
            watched.losses = self._unclaimed
            watched.choose_witnesses()
        self._unclaimed = []
        if watched.closure and step >= self._next_norm and first:
            watched.norm = _gradient_norm(optimizer)
        noted = _Noted(step, time.time(), watched, watched.losses, watched.norm)
        if watched.norm is not None:
            self._next_norm = step + max(10, step // 10) * self._norm_slowdown
        watched.losses, watched.norm = [], None
        if noted.losses and not watched.suffix_known:
            self._name(watched)
        lr = optimizer.param_groups[0]["lr"]
        if isinstance(lr, Tensor):  # changes in place
            noted.lr = lr.detach().clone()
        elif lr is not watched.lr:
            noted.lr = watched.lr = lr
        self._waiting.append(noted)
        try:
            if first:
                self._time(began, source, noted, step)
            now = perf_counter()
            self.own_s += now - began
            if now - self._burst_at > _BURST_S:
                self._end_burst(now, step)
        except RunEnded:  # another thread ended the run just now
            self.stop()
        if self.run.stop_requested:
            self._stop_seen += 1
            # With several optimizers in turns, let the round end: all have made the same number of steps.
            counts = {other.steps for other in self._watched.values() if other.steps}
            if len(counts) == 1 or self._stop_seen >= 2 * len(self._watched):
                self.collect()
                raise TrainingStopped

    def count(self, optimizer: Optimizer) -> int | None:
        """Steps that an optimizer has made, None when it is not watched."""
        watched = self._watched.get(id(optimizer))
        return watched.steps if watched is not None else None

    def skipped(self, optimizer: Optimizer) -> None:
        """Gradient scaling left a step out, since gradients were not finite."""
        watched = self._watched[id(optimizer)]
        watched.losses = []
        self.run.add_fact(watched.steps, "skipped", {"why": "gradients not finite"})

    def collect(self) -> None:
        """Read the numbers that are on their way and write them to the run.

        From another thread than the loop's, numbers on an accelerator are left for the loop to read.
        """
        if not self._waiting:
            return
        foreign = self._thread is not None and self._thread != threading.get_ident()
        with self._resolving:
            noted: list[_Noted] = []
            with contextlib.suppress(IndexError):
                while not (foreign and self._active and self._waiting[0].on_device):
                    noted.append(self._waiting.popleft())
            rows: list[Row] = []
            numbers = _read_all(noted)
            for one in noted:
                one.rows(rows, numbers)
            with contextlib.suppress(RunEnded):
                self.run.extend(rows)

    def give_up(self, error: Exception) -> None:
        """The recorder itself failed: it goes, the training stays."""
        self._active = False
        taps.remove(self)
        warnings.warn(
            _("The recorder stopped, and the training goes on without it: {error}", error=repr(error)),
            RuntimeWarning,
            stacklevel=2,
        )

    # Private.

    def _find(self, optimizer: Optimizer) -> "_Watched | None":
        watched = self._watched.get(id(optimizer))
        if watched is None and self._any and self._belongs(optimizer):
            watched = self._watch(optimizer)
            self._describe()
        return watched

    def _belongs(self, optimizer: Optimizer) -> bool:
        if not self.models:
            return not any(id(optimizer) in other._watched for other in taps.recorders if other is not self)
        mine = {id(parameter) for model in self.models for parameter in model.parameters()}
        return any(id(parameter) in mine for group in optimizer.param_groups for parameter in group["params"])

    def _watch(self, optimizer: Optimizer) -> "_Watched":
        watched = _Watched(optimizer, len(self._watched))
        self._watched[id(optimizer)] = watched
        return watched

    def _leads(self, watched: "_Watched") -> bool:
        """Whether this is the optimizer whose steps are timed: the first that made one."""
        if self._leader is None:
            self._leader = watched
        return self._leader is watched

    def _same(self, other: "Recorder") -> bool:
        mine = {id(part) for part in (*self.models, *self.optimizers)}
        theirs = {
            id(part) for part in (*other.models, *other.optimizers, *(w.optimizer for w in other._watched.values()))
        }
        return bool(mine & theirs) or (not mine and not (other.models or other.optimizers))

    def _name(self, watched: "_Watched") -> None:
        """The first optimizer that has a loss of its own logs `train/loss`, the next `train/loss/2`."""
        watched.suffix_known = True
        self._loss_names += 1
        watched.suffix = "" if self._loss_names == 1 else f"/{self._loss_names}"

    def _describe(self) -> None:
        if not self._watched:
            return
        parameters = {id(p): p for w in self._watched.values() for g in w.optimizer.param_groups for p in g["params"]}
        devices = sorted({str(parameter.device) for parameter in parameters.values()})
        self._tell(
            optimizer=", ".join(type(w.optimizer).__name__ for w in self._watched.values()),
            model=", ".join(type(model).__name__ for model in self.models) or None,
            parameters=sum(parameter.numel() for parameter in parameters.values()),
            device=", ".join(devices),
        )

    def _tell(self, **values: Any) -> None:
        new = {key: value for key, value in values.items() if value is not None and self._known.get(key) != value}
        if new:
            self._known.update(new)
            self.run.set_info(**new)

    def _time(self, now: float, source: Source | None, noted: "_Noted", step: int) -> None:
        """How long the step took and how many samples it had; where an epoch begins."""
        samples = 0
        if source is not None:
            if source is not self._source:
                self._new_epoch(source, step)
            self._mark = max(self._mark, source.switched)  # what came in between, such as an evaluation, is no step
            samples = source.samples - self._source_samples
            self._source_samples = source.samples
        if not samples and noted.losses:
            samples = sum(loss.reading.samples or 0 for loss in noted.losses)
        burst = self._burst
        burst[0] += 1
        burst[1] += now - self._mark
        burst[2] += samples
        self._mark = now

    def _new_epoch(self, source: Source, step: int) -> None:
        if self._source is not None and self._epoch >= 0:
            steps = step - self._epoch_first
            if self.run.plan.steps_per_epoch == self._planned != steps:  # our own guess, and a wrong one
                self._planned = steps
                self.run.set_plan(steps_per_epoch=steps)
        self._epoch += 1
        self._epoch_first = step
        self._source, self._source_samples = source, 0
        if self.run.plan.steps_per_epoch is None and source.length and source.count:
            self._planned = -(-source.length // source.count)  # batches so far: those of this one step
            self.run.set_plan(steps_per_epoch=self._planned)
        self.run.add_fact(step, "epoch", {"epoch": self._epoch, "batches": source.length})

    def _end_burst(self, now: float, step: int) -> None:
        steps, seconds, samples, own_before = self._burst
        self._burst_at = now
        if steps and seconds > 0:
            rows: list[Row] = [("step_s", step, seconds / steps, time.time())]
            if samples:
                rows.append(("samples_per_s", step, samples / seconds, time.time()))
            self.run.extend(rows)
            self._govern((self.own_s - own_before) / seconds)
            self._steps_s += seconds
        self._burst = [0, 0.0, 0, self.own_s]
        self.collect()
        if now - self._info_at > _INFO_S and self._steps_s > 0:
            self._info_at = now
            self.run.set_info(overhead=round(self.overhead, 4))
        spent = perf_counter() - now
        self.own_s += spent

    def _govern(self, share: float) -> None:
        self._costly_bursts = self._costly_bursts + 1 if share > _SHARE else 0
        if self._costly_bursts >= 2:
            self._costly_bursts = 0
            self._accuracy_every = min(self._accuracy_every * 2, _RAREST)
            self._norm_slowdown = min(self._norm_slowdown * 2, _RAREST)
        elif share < _SHARE / 4 and self._accuracy_every > 1:
            self._accuracy_every //= 2

    def _on_event(self, event: str) -> None:
        if event == "ended":
            self.stop()


class _Watched:
    """One optimizer and what is on its way to its next step."""

    def __init__(self, optimizer: Optimizer, index: int) -> None:
        self.optimizer = optimizer
        self.lr_name = "lr" if index == 0 else f"lr/{index + 1}"
        self.suffix = ""
        self.suffix_known = False
        self.steps = 0
        self.lr: Any = None
        self.losses: list[Loss] = []
        self.in_step = self.closure = False
        self.norm: Tensor | None = None
        self.accumulates: float | None = None
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.choose_witnesses()

    def choose_witnesses(self) -> None:
        """A few parameters, spread over the model; those that have a gradient now, if any."""
        trained = [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]
        having = [p for p in trained if p.grad is not None] or trained
        pace = max(1, -(-len(having) // _WITNESSES))
        self.witnesses = having[::pace]
        if having and having[-1] is not self.witnesses[-1]:
            self.witnesses.append(having[-1])


class _Noted:
    """What was noted at one step and not yet written to the run."""

    __slots__ = ("losses", "lr", "norm", "step", "time", "watched")

    def __init__(self, step: int, when: float, watched: _Watched, losses: list[Loss], norm: Tensor | None) -> None:
        self.step, self.time, self.watched, self.losses, self.norm = step, when, watched, losses, norm
        self.lr: Any = None

    @property
    def on_device(self) -> bool:
        return any(isinstance(loss.value, Tensor) for loss in self.losses)

    def tensors(self) -> list[Tensor]:
        found: list[Any] = [self.norm, self.lr]
        for loss in self.losses:
            found += (loss.value, loss.reading.correct, loss.reading.total)
        return [one for one in found if isinstance(one, Tensor)]

    def rows(self, rows: list[Row], numbers: dict[int, float]) -> None:
        def number(value: Any) -> float:
            return numbers[id(value)] if isinstance(value, Tensor) else float(value)

        step, when, watched = self.step, self.time, self.watched
        if self.losses:
            rows.append((f"train/loss{watched.suffix}", step, self._loss(number), when))
            counted = [loss.reading for loss in self.losses if loss.reading.correct is not None]
            total = sum(number(reading.total) for reading in counted)
            if total:
                right = sum(number(reading.correct) for reading in counted)
                rows.append((f"train/accuracy{watched.suffix}", step, right / total, when))
        if self.lr is not None:
            rows.append((watched.lr_name, step, number(self.lr), when))
        if self.norm is not None:
            rows.append(("grad/norm", step, number(self.norm), when))

    def _loss(self, number: Any) -> float:
        """The mean of the step's losses; undivided where accumulation divided each by their number."""
        losses, watched = self.losses, self.watched
        values = [number(loss.value) for loss in losses]
        factor = losses[0].factor
        if len(losses) > 1:
            shared = all(loss.factor == factor for loss in losses)
            parts = 1 / factor if factor else 0.0
            watched.accumulates = factor if shared and parts > 1.5 and abs(parts - round(parts)) < 1e-3 else None
        if watched.accumulates is not None and watched.accumulates == factor:
            values = [value / factor for value in values]
        return float(sum(values) / len(values))


def _listed(value: Any, kind: type) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, kind) else list(value)


def _version(parameter: Tensor) -> tuple[int, int] | None:
    """Changes with each gradient that arrives."""
    gradient = parameter.grad
    return None if gradient is None else (id(gradient), gradient._version)


def _gradient_norm(optimizer: Optimizer) -> Tensor | None:
    gradients = [
        parameter.grad.detach()
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None and type(parameter.grad) is Tensor and parameter.grad.layout == torch.strided
    ]
    return torch.nn.utils.get_total_norm(gradients) if gradients else None


def _read_all(noted: list[_Noted]) -> dict[int, float]:
    """The numbers in all tensors, with one wait per device and type."""
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for one in noted:
        for tensor in one.tensors():
            groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    numbers: dict[int, float] = {}
    for (device, _dtype), tensors in groups.items():
        if device.type == "cpu":
            numbers.update((id(tensor), tensor.item()) for tensor in tensors)
        else:
            together = torch.stack([tensor.reshape(()) for tensor in tensors]).tolist()
            numbers.update(zip(map(id, tensors), together, strict=True))
    return numbers


def _rest_when_cells_end(recorder: Recorder) -> None:
    """In a notebook the loop is left when its cell ends, and may go on in a later one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return

    def rest(*_result: Any) -> None:
        if not recorder._active:
            with contextlib.suppress(ValueError):
                shell.events.unregister("post_run_cell", rest)
        elif recorder._thread == threading.get_ident():
            recorder.run.rest()

    shell.events.register("post_run_cell", rest)
