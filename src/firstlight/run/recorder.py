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
from collections.abc import Callable, Collection, Iterable
from time import perf_counter
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

from firstlight.locale import _
from firstlight.run import looks as closer
from firstlight.run.checkpoint import Keeper
from firstlight.run.errors import RunEnded
from firstlight.run.points import Row
from firstlight.run.record import Run
from firstlight.run.taps import READ_AT_ONCE, Loss, Source, leave_to_python, taps
from firstlight.run.trained import note_trained

_BURST_S = 0.1  # numbers are read and handed to the run this often; views draw no oftener
_PACE_S = 1.0  # the speed and where the time goes are noted this often, once the first two seconds are over
_AT_FIRST_S = 2.0
_UNASKED_S = 0.5  # of a device that cannot say whether numbers have come, they are read this often
_INFO_S = 1.0
_SHARE = 0.008  # of the step: above it, look less often; the way to us and back, which we do not see, costs as much
_RAREST = 64  # the loss is noted at least of each 64th step
_COSTLY_FOR_LONG = 4  # bursts
_RAREST_ACCURACY = 8  # rarer saves nothing more, and leaves too few points for a curve
_COMPLETE = 50  # so many first steps are noted in full
_WEIGHTS = {"share": 0.002, "growth": 0.04, "free_s": 0.015}  # of looks at weights and gradients, see `Pace`
_MOST_CALLS = 256  # of a step that are kept; a step has no end where weights change by hand or by another optimizer
_MOST_ORDERS = 16  # of calls in a step; a loop that never repeats itself is not told in full


class Recorder:
    """Listens to a training loop and writes what happens to a run.

    A step is one `optimizer.step()`, counted from 0. Noted are `train/loss`, `train/accuracy` (for classification),
    `lr`, `samples_per_s`, `step_s`, and now and then `grad/norm`; and the facts `epoch` and `skipped`. With several
    optimizers, each further one has its own names: `train/loss/2`, `lr/2`. Once per burst, the seconds of a step by
    phase: `time/data`, `time/forward` (with all that is no other phase), `time/backward`, `time/optimizer`; the fact
    `order` when a step's calls come in an order that was not seen before. Looks at single steps add theirs
    (`firstlight.run.looks`).

    Args:
        run: Where to write.
        models: A model, several, or None.
        optimizers: An optimizer, several, or None for every optimizer of the models.
        loaders: Classes whose batches are counted.
        classify: Whether to note the accuracy where the loss has labels.
        looks: Whether to look closely at single steps: the first ones, then ever more rarely; or the numbers of steps
            to look at besides, whatever that costs.

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
        looks: bool | Collection[int] = True,
    ) -> None:
        self.run = run
        self.keeper: Keeper | None = None  # makes the checkpoints of a loop that knows nothing of them
        self.models = _listed(models, nn.Module)
        self.optimizers: list[Optimizer] = []
        self.loaders = loaders
        self.own_s = 0.0
        self.looks_s = 0.0  # what looks at single steps have cost
        self._wanted = looks
        self._looks: list[closer.Look] = []
        self._look_at = 0  # no step before it is due for a look
        self._open: list[closer.Look] = []  # those at the step that goes on
        self._begin_late = False  # whether looks are to begin when the backward pass that runs is over
        self._order: list[str] = []
        self._orders: set[tuple[str, ...]] = set()
        self._spent = [0.0, 0.0, 0.0]  # of this step: waiting for data, backward, optimizers
        self._phases = [0.0, 0.0, 0.0, 0.0, 0.0]  # of this burst: steps, data, forward, backward, optimizers
        self._waited = self._stepped_at = 0.0
        self._classify = classify
        self._leader: _Watched | None = None
        self._backward_before = 0.0
        self._watched: dict[int, _Watched] = {}
        self._list: list[_Watched] = []
        given = _listed(optimizers, Optimizer)
        self._any = not given
        self._everything = not self.models and not given
        for optimizer in given:
            self._watch(optimizer)
        self._active = False
        self._waiting: deque[_Waiting] = deque()
        self._asked: _Asked | None = None
        self._resolving = threading.Lock()
        self._unclaimed: list[Loss] = []
        self.thread = threading.get_ident()  # of the loop, as far as it is known
        self._loss_names = 0
        self._known: dict[str, Any] = {}
        self._accuracy_every = self._loss_every = 1
        self._next_norm = 0
        self._norm_slowdown = 1
        self._source: Source | None = None
        self._epoch = -1
        self._joins = False  # an epoch that was interrupted: its first steps are in the record
        self._noted: set[int] = set()  # optimizers whose weights are known to be this run's
        self._epoch_first = self._source_samples = 0
        self._planned: int | None = None
        self._mark = self._burst_at = self._info_at = self._paced_at = self._began_at = 0.0
        self._paced: list[float] = [0, 0.0, 0]  # steps, seconds, samples since the speed was noted
        self._burst: list[float] = [0, 0.0, 0, 0.0]  # steps, seconds, samples, own seconds at its begin
        self._costly = 0  # bursts in a row
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
        self.thread = threading.get_ident()
        self._mark = self._burst_at = self._info_at = self._paced_at = self._began_at = perf_counter()
        self.run.add_source(self.collect)
        self._unsubscribe = self.run.subscribe(self._on_event)
        _rest_when_cells_end(self)
        self._describe()
        self._looks = self._make_looks()
        taps.add(self)
        self._begin_looks()
        return self

    def stop(self) -> None:
        """Stop listening, hand over what is still on its way, and leave no trace in torch."""
        if not self._active:
            return
        self._active = False
        self._drop_looks()
        taps.remove(self)
        self.rest()
        self.collect()
        self.run.remove_source(self.collect)
        self._unsubscribe()

    def go_on_from(self, counts: list[int]) -> None:
        """Count on from where a run was interrupted: the steps of each optimizer."""
        for watched, count in zip(self._list, counts, strict=False):
            watched.steps = count
        self._next_norm = self.steps

    def join(self, counts: list[int], epoch: int, inside: bool) -> None:
        """Go on in an epoch whose beginning is in the record (`inside`), or begin this one."""
        self.go_on_from(counts)
        self._epoch, self._epoch_first, self._joins = epoch - (not inside), self.steps, inside
        for watched in self._list:  # the rate that is in the record already need not be noted again
            lr = watched.optimizer.param_groups[0]["lr"]
            watched.lr = lr if isinstance(lr, float) and lr == self.run.last(watched.lr_name) else None

    @property
    def counts(self) -> list[int]:
        """The steps that each optimizer has made."""
        return [watched.steps for watched in self._list]

    @property
    def steps(self) -> int:
        """The steps of the optimizer that leads: the first that made one."""
        return self._leader.steps if self._leader is not None else max(self.counts, default=0)

    def rest(self) -> None:
        """The loop is left: note its newest steps, which no burst has ended, so that the record reaches its end."""
        self._drop_looks()
        self._snapshot(always=True)
        steps, seconds, samples, _own = self._burst
        if steps and seconds > 0 and self._leader is not None:
            self._burst = [0, 0.0, 0, self.own_s]
            self._steps_s += seconds
            self._paced = [sum(pair) for pair in zip(self._paced, (steps, seconds, samples), strict=True)]
        if self._paced[0] and self._leader is not None:
            with contextlib.suppress(RunEnded):
                self._note_pace(perf_counter(), self._leader.steps - 1)

    def __enter__(self) -> "Recorder":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def overhead(self) -> float:
        """Own time, that of the record's writer thread included, as a share of the time of all steps."""
        own_s = self.own_s + self.looks_s + self.run.writer_cpu_s
        return own_s / self._steps_s if self._steps_s else 0.0

    @property
    def looking(self) -> bool:
        """Whether this step is looked at closely."""
        return bool(self._open)

    # Called by the taps.

    def before_backward(self) -> int:
        """Note the gradients as they are; answer how much is to be read of this loss (see `Taps._look`)."""
        self._note_call("backward")
        self._tell_looks("backward")
        detail = 0 if self._list else 3
        for watched in self._list:
            steps = watched.steps
            if steps % self._loss_every:
                continue
            gradient = watched.witness.grad
            watched.before = None if gradient is None else (id(gradient), gradient._version)
            if steps % self._accuracy_every == 0:
                detail = 3
            elif not detail:
                detail = 2 if watched.accumulates is not None else 1
        return detail

    def backward_took(self, seconds: float) -> None:
        """A backward pass is over."""
        self._spent[1] += seconds
        self._tell_looks("forward")
        if self._begin_late:
            self._begin_late = False
            self._begin_looks()

    def cleared(self, owner: Any) -> None:
        """`zero_grad` of an optimizer or a module was called."""
        watched = self._watched.get(id(owner))
        if watched is not None:
            self._note_call(f"zero_grad{watched.suffix}")
        elif any(owner is model for model in self.models):
            self._note_call("model.zero_grad")

    def after_backward(self, loss: Loss | None) -> None:
        """Give the loss to the optimizers whose gradients it changed."""
        claimed = False
        for watched in self._list:
            gradient = watched.witness.grad
            after = None if gradient is None else (id(gradient), gradient._version)
            if after == watched.before or watched.steps % self._loss_every:
                continue
            claimed = True
            if watched.in_step:  # a closure; of several evaluations the first is at the weights of this step
                if loss is not None and not watched.losses:
                    watched.losses.append(loss)
                continue
            if watched.losses and watched.before != watched.after:  # the gradients were set back since the last loss
                watched.losses.clear()
            watched.after = after
            if loss is not None:
                watched.losses.append(loss)
        if loss is not None and not claimed:
            self._unclaimed.append(loss)
            del self._unclaimed[:-64]

    def before_step(self, optimizer: Optimizer, *, closure: bool) -> None:
        """An optimizer is about to change weights."""
        watched = self._watched.get(id(optimizer)) or self._find(optimizer)
        if watched is None:
            return
        watched.in_step, watched.closure = True, closure
        self._tell_looks("closure" if closure else "optimizer")
        if not closure and watched.steps >= self._next_norm and self._leads(watched) and not _recording_a_graph():
            began = perf_counter()
            watched.norm = _gradient_norm(optimizer)
            self.own_s += perf_counter() - began
        self._stepped_at, self._backward_before = perf_counter(), self._spent[1]

    def after_step(self, optimizer: Optimizer, source: Source | None) -> bool:
        """An optimizer has changed weights: a step is complete. Whether the losses of the next one may pass unseen."""
        began = perf_counter()
        watched = self._watched.get(id(optimizer)) or self._find(optimizer)
        if watched is None:
            return self._loss_every > 1 and self._next_is_left_out()
        if self._stepped_at:  # what went backward in a closure is no optimizer's time
            self._spent[2] += began - self._stepped_at - (self._spent[1] - self._backward_before)
            self._stepped_at = 0.0
        self._order.append(f"step{watched.suffix}")
        if self.thread != threading.get_ident():
            self._drop_looks()  # begun elsewhere: they have seen nothing of this loop
            self.thread = threading.get_ident()
        if self.run.resting:
            self.run.resume()
            self._mark = began
            self._stop_seen = 0
        step = watched.steps
        watched.steps += 1
        watched.in_step = False
        if id(optimizer) not in self._noted:
            self._noted.add(id(optimizer))
            note_trained(watched.optimizer, self.run)
        leads = self._leads(watched)
        if self._unclaimed:
            self._claim(watched)
        if watched.closure and leads and step >= self._next_norm:
            watched.norm = _gradient_norm(optimizer)
        losses = watched.losses
        if losses:
            watched.losses = []
            self._note_losses(watched, losses, step)
        lr = optimizer.param_groups[0]["lr"]
        if (
            lr is not watched.lr or isinstance(lr, Tensor)
        ) and not step % self._loss_every:  # a tensor changes in place
            watched.lr = lr
            self._waiting.append((watched.lr_name, step, _settled(lr), time.time()))
        if watched.norm is not None:
            self._waiting.append(("grad/norm", step, _settled(watched.norm), time.time()))
            watched.norm = None
            self._next_norm = step + max(10, step // 10) * self._norm_slowdown
        try:
            if leads:
                self._time(began, source, step)
                if self._open:
                    apart = perf_counter()
                    self._end_looks()
                    began += perf_counter() - apart  # looks keep an account of their own
            now = perf_counter()
            self.own_s += now - began
            if now - self._burst_at > _BURST_S:
                self._end_burst(now, step)
        except RunEnded:  # another thread ended the run just now
            self.stop()
        if self.run.wait_if_paused():
            self._mark = perf_counter()
        course = self.run.course
        if self.run.stop_requested and not (course is not None and course.inside):  # which stops between two batches
            self._stop_seen += 1
            # With several optimizers in turns, let the round end: all have made the same number of steps.
            counts = {other.steps for other in self._list if other.steps}
            if len(counts) == 1 or self._stop_seen >= 2 * len(self._list):
                self.collect()
                self.run.obey_stop()
        if leads:
            self._begin_looks()
        return self._loss_every > 1 and not self._open and self._next_is_left_out()

    def pass_by(self, optimizer: Optimizer, source: Source | None) -> bool | None:
        """The short form of `after_step` for a step of which nothing is noted; None where there is more to do.

        In a loop of short steps nearly all of them come through here: what is cold in the processor's caches costs
        several times what it costs by itself.
        """
        began = perf_counter()
        watched = self._leader
        if (
            watched is None
            or watched.optimizer is not optimizer
            or source is not self._source
            or began - self._burst_at > _BURST_S
            or len(self._list) > 1
            or self.run.resting
            or self.run.stop_requested
            or self.run.pause_requested
        ):
            return None
        watched.steps += 1
        samples, mark = watched.samples, self._mark
        if source is not None:
            mark = max(mark, source.switched)
            samples = source.samples - self._source_samples or samples
            self._source_samples, self._waited = source.samples, source.waited
        burst = self._burst
        burst[0] += 1
        burst[1] += began - mark
        burst[2] += samples
        self._mark = began
        self.own_s += perf_counter() - began
        return watched.steps % self._loss_every != 0

    def count(self, optimizer: Optimizer) -> int | None:
        """Steps that an optimizer has made, None when it is not watched."""
        watched = self._watched.get(id(optimizer))
        return watched.steps if watched is not None else None

    def skipped(self, optimizer: Optimizer) -> None:
        """Gradient scaling left a step out, since gradients were not finite."""
        watched = self._watched[id(optimizer)]
        watched.losses = []
        self.run.add_fact(watched.steps, "skipped", {"why": "gradients not finite"})

    def collect(self, *, wait: bool = True) -> None:
        """Write the numbers that are on their way to the run.

        From another thread than the loop's, numbers on an accelerator are left for the loop.

        Args:
            wait: For the device too, so that the record is complete. Else its numbers are asked for now, all together,
                and written by a later call, once they have come: no step waits for the device.
        """
        if not self._waiting and self._asked is None:
            return
        foreign = self._active and self.thread != threading.get_ident()
        with self._resolving:
            rows: list[Row] = []
            asked = self._asked
            if asked is not None and not foreign and (wait or asked.is_there()):
                rows, self._asked = asked.rows(), None
            leave_later = foreign or self._asked is not None
            found: list[_Waiting] = []
            with contextlib.suppress(IndexError):
                while not (leave_later and isinstance(self._waiting[0][2], _Later)):
                    found.append(self._waiting.popleft())
            if wait or leave_later or not any(isinstance(entry[2], _Later) for entry in found):
                rows += _Asked(found).rows()
            else:
                self._asked = _Asked(found)
            with contextlib.suppress(RunEnded):
                self.run.extend(rows)

    def see_less(self, why: str) -> None:
        """Say that something is not seen: `compile`, `capture` (a CUDA graph) or `quiet` (very short steps)."""
        if why not in (less := self._known.get("sees_less", [])):
            self._tell(sees_less=[*less, why])

    def give_up(self, error: Exception) -> None:
        """The recorder itself failed: it goes, the training stays."""
        self._active = False
        self._drop_looks()
        taps.remove(self)
        self.run.remove_source(self.collect)
        self._unsubscribe()
        warnings.warn(
            _("The recorder stopped, and the training goes on without it: {error}", error=repr(error)),
            RuntimeWarning,
            stacklevel=2,
        )

    # Private.

    def _note_call(self, name: str) -> None:
        """One of the calls that make up a step. After very many of them, its end is not waited for."""
        if len(self._order) < _MOST_CALLS:
            self._order.append(name)
        elif self._open:
            self._drop_looks()

    def _find(self, optimizer: Optimizer) -> "_Watched | None":
        watched = self._watched.get(id(optimizer))
        if watched is None and self._any and self._belongs(optimizer):
            watched = self._watch(optimizer)
            leave_to_python()
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
        self.optimizers.append(optimizer)
        self._list = [*self._list, watched]
        return watched

    def _next_is_left_out(self) -> bool:
        return bool(self._list) and all(watched.steps % self._loss_every for watched in self._list)

    def _leads(self, watched: "_Watched") -> bool:
        """Whether this is the optimizer whose steps are timed: the first that made one."""
        if self._leader is None:
            self._leader = watched
        return self._leader is watched

    def _same(self, other: "Recorder") -> bool:
        mine = {id(part) for part in (*self.models, *self.optimizers)}
        theirs = {id(part) for part in (*other.models, *other.optimizers)}
        return bool(mine & theirs) or (self._everything and other._everything)

    def _claim(self, watched: "_Watched") -> None:
        """Losses whose graph did not reach the witness: this optimizer's, when no other can have made them."""
        if not watched.losses:
            if len(self._list) == 1 and len(taps.recorders) == 1:
                watched.losses = self._unclaimed
            watched.choose_witness()
        self._unclaimed = []

    def _note_losses(self, watched: "_Watched", losses: list[Loss], step: int) -> None:
        if (
            watched.loss_name is None
        ):  # the first optimizer with a loss of its own has train/loss, the next train/loss/2
            self._loss_names += 1
            suffix = "" if self._loss_names == 1 else f"/{self._loss_names}"
            watched.loss_name, watched.accuracy_name = f"train/loss{suffix}", f"train/accuracy{suffix}"
        now = time.time()
        values = [loss.value for loss in losses]
        factor = watched.part(losses)
        self._waiting.append((watched.loss_name, step, _mean(values, factor), now))
        readings = [loss.reading for loss in losses if loss.reading is not None]
        if not readings:
            return
        watched.samples = sum(reading.samples or 0 for reading in readings)
        counted = [reading for reading in readings if reading.correct is not None]
        if counted and self._classify:
            right = [reading.correct for reading in counted]
            share = _ratio(right, [reading.total for reading in counted])
            if share is not None:  # None: every label of the batch is one to ignore
                self._waiting.append((watched.accuracy_name, step, share, now))
        if step < 3 or step % 64 == 0:
            self._tell(loss=readings[0].kind, classes=readings[0].classes)

    def _describe(self) -> None:
        if not self._watched:
            return
        parameters = {id(p): p for w in self._watched.values() for g in w.optimizer.param_groups for p in g["params"]}
        devices = sorted({str(parameter.device) for parameter in parameters.values()})
        self._tell(
            optimizer=", ".join(type(w.optimizer).__name__ for w in self._watched.values()),
            model=", ".join(type(model).__name__ for model in self.models) or None,
            parameters=sum(p.numel() for p in parameters.values() if not nn.parameter.is_lazy(p)),
            device=", ".join(devices),
        )

    def _tell(self, **values: Any) -> None:
        new = {key: value for key, value in values.items() if value is not None and self._known.get(key) != value}
        if new:
            self._known.update(new)
            self.run.set_info(**new)

    def _time(self, now: float, source: Source | None, step: int) -> None:
        """How long the step took and how many samples it had; where an epoch begins."""
        samples = 0
        if source is not None:
            if source is not self._source:
                self._new_epoch(source, step)
            self._mark = max(self._mark, source.switched)  # what came in between, such as an evaluation, is no step
            samples = source.samples - self._source_samples
            self._spent[0] = source.waited - self._waited
            self._source_samples, self._waited = source.samples, source.waited
        if not samples and self._leader is not None:
            samples = self._leader.samples
        burst = self._burst
        burst[0] += 1
        burst[1] += now - self._mark
        burst[2] += samples
        self._time_phases(now - self._mark)
        self._mark = now

    def _time_phases(self, whole: float) -> None:
        """Where the time of this step went, and in which order its calls came."""
        order, spent, phases = tuple(self._order), self._spent, self._phases
        self._order, self._spent = [], [0.0, 0.0, 0.0]
        if "backward" not in order:  # a step of which not everything was heard
            return
        phases[0] += 1
        phases[1] += spent[0]
        phases[2] += max(0.0, whole - sum(spent))
        phases[3] += spent[1]
        phases[4] += spent[2]
        told = order in self._orders or len(order) >= _MOST_CALLS or len(self._orders) >= _MOST_ORDERS
        if not told and self._leader is not None:
            self._orders.add(order)
            self.run.add_fact(self._leader.steps - 1, "order", list(order))

    def _times(self, step: int) -> list[Row]:
        """The seconds of a step by phase, over the steps of a burst that were heard in full."""
        steps, *seconds = self._phases
        self._phases = [0.0, 0.0, 0.0, 0.0, 0.0]
        now = time.time()
        names = ("time/data", "time/forward", "time/backward", "time/optimizer")
        return [(name, step, spent / steps, now) for name, spent in zip(names, seconds, strict=True)] if steps else []

    # Looks at single steps.

    def _make_looks(self) -> "list[closer.Look]":
        if self._wanted is False:
            return []
        always = () if self._wanted is True else self._wanted
        pace = closer.Pace(**_WEIGHTS, always=always)
        found: list[closer.Look] = [closer.Weights(self, pace)]
        return found + [make(self, always) for make in closer.makers]

    def _begin_looks(self) -> None:
        """Begin those that are due, at the step that comes now."""
        if not self._looks or self._open or not self._active:
            return
        if closer.in_backward():  # an optimizer that steps in a hook
            self._begin_late = True
            return
        step = self._leader.steps if self._leader is not None else 0
        if step < self._look_at:
            return
        elapsed = self._steps_s + self._burst[1]
        for look in self._looks:
            if look.pace.due(step, elapsed):
                if _recording_a_graph():
                    self.see_less("capture")
                    return
                try:
                    if look.begin(step):
                        self._open = [*self._open, look]
                except Exception as error:  # noqa: BLE001 - whatever it is, the record is worth more than its looks
                    self._leave_look(look, error)
        self._look_at = min((look.pace.soonest(step) for look in self._looks), default=0)

    def _tell_looks(self, phase: str) -> None:
        for look in self._open:
            try:
                look.phase(phase)
            except Exception as error:  # noqa: BLE001 - as above
                self._open = [other for other in self._open if other is not look]
                self._leave_look(look, error)

    def _end_looks(self) -> None:
        open_looks, self._open = self._open, []
        for look in open_looks:
            before = look.pace.cost_s
            try:
                look.end()
            except RunEnded:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                self._leave_look(look, error)
            self.looks_s += look.pace.cost_s - before

    def _leave_look(self, look: closer.Look, error: Exception) -> None:
        look.drop()
        self._looks = [other for other in self._looks if other is not look]
        warnings.warn(
            _("The looks at single steps stopped, and the training goes on: {error}", error=repr(error)),
            RuntimeWarning,
            stacklevel=2,
        )

    def _drop_looks(self) -> None:
        open_looks, self._open = self._open, []
        for look in open_looks:
            look.drop()

    def _snapshot(self, *, always: bool = False) -> None:
        """A checkpoint of a loop that does not say where it is in its data.

        Args:
            always: Not only where it is time, as the loop is left; but of steps that no checkpoint has.
        """
        keeper, course = self.keeper, self.run.course
        if keeper is None or (course is not None and course.known) or self._leader is None or _recording_a_graph():
            return
        if keeper.due() or (always and keeper.behind):
            keeper.make(None)
            self._mark = perf_counter()  # that was no step

    def _new_epoch(self, source: Source, step: int) -> None:
        if self._joins:
            self._joins, self._source = False, source
            self._source_samples, self._waited = source.samples, source.waited
            return
        if self._source is not None and self._epoch >= 0:
            steps = step - self._epoch_first
            if self.run.plan.steps_per_epoch == self._planned != steps:  # our own guess, and a wrong one
                self._planned = steps
                self.run.set_plan(steps_per_epoch=steps)
        self._epoch += 1
        self._epoch_first = step
        self._source, self._source_samples, self._waited = source, 0, 0.0
        if self.run.plan.steps_per_epoch is None and source.length and source.count:
            self._planned = -(-source.length // source.count)  # batches so far: those of this one step
            self.run.set_plan(steps_per_epoch=self._planned)
        self.run.add_fact(step, "epoch", {"epoch": self._epoch, "batches": source.length})

    def _end_burst(self, now: float, step: int) -> None:
        steps, seconds, samples, own_before = self._burst
        self._burst_at = now
        if steps and seconds > 0:
            self._paced = [sum(pair) for pair in zip(self._paced, (steps, seconds, samples), strict=True)]
            if now - self._paced_at > _PACE_S or now - self._began_at < _AT_FIRST_S:
                self._note_pace(now, step)
            self._govern((self.own_s - own_before) / seconds, step)
            self._steps_s += seconds
        self._burst = [0, 0.0, 0, self.own_s]
        if not _recording_a_graph():
            self.collect(wait=False)
        if now - self._info_at > _INFO_S and self._steps_s > 0:
            self._info_at = now
            self.run.set_info(overhead=round(self.overhead, 4))
        spent = perf_counter() - now
        self.own_s += spent
        self._snapshot()

    def _note_pace(self, now: float, step: int) -> None:
        """The mean speed of the steps since it was noted last, and where their time went."""
        steps, seconds, samples = self._paced
        self._paced, self._paced_at = [0, 0.0, 0], now
        self.run.extend([*_pace(step, steps, seconds, samples), *self._times(step)])

    def _govern(self, share: float, steps: int) -> None:
        """Look less often where looking costs too much, and more often again where it does not.

        The first steps are noted in full whatever that costs: short runs are complete.
        """
        if steps < _COMPLETE:
            return
        self._costly = self._costly + 1 if share > _SHARE else 0
        if share < _SHARE / 4 and self._accuracy_every > 1 and self._loss_every == 1:
            self._accuracy_every //= 2
        elif self._costly >= 2 and self._accuracy_every < _RAREST_ACCURACY:
            self._costly = 0
            self._accuracy_every = min(_RAREST_ACCURACY, self._accuracy_every * (4 if share > 2 * _SHARE else 2))
            self._norm_slowdown *= 2
        elif self._costly >= _COSTLY_FOR_LONG and self._loss_every < _RAREST:
            self._costly = 0
            if self._loss_every > 2:  # less may come of a busy neighbour
                self.see_less("quiet")
            self._loss_every *= 2  # very short steps; a busy neighbour alone does not last that long
        if share < _SHARE / 3 and self._loss_every > 1:  # twice as many looks cost at most twice as much
            self._loss_every //= 2
            self._accuracy_every = max(self._accuracy_every, self._loss_every)

    def _on_event(self, event: str) -> None:
        if event == "ended":
            self.stop()
            if self.keeper is not None:
                self.keeper.close()
        elif event == "resting":
            self.rest()


class _Watched:
    """One optimizer and what is on its way to its next step."""

    def __init__(self, optimizer: Optimizer, index: int) -> None:
        self.optimizer = optimizer
        self.suffix = "" if index == 0 else f"/{index + 1}"
        self.lr_name = f"lr{self.suffix}"
        self.loss_name: str | None = None
        self.accuracy_name = ""
        self.steps = self.samples = 0
        self.lr: Any = None
        self.losses: list[Loss] = []
        self.in_step = self.closure = False
        self.norm: Tensor | None = None
        self.accumulates: float | None = None
        self.before: tuple[int, int] | None = None
        self.after: tuple[int, int] | None = None
        self._chosen = -1
        self.choose_witness()

    def choose_witness(self) -> None:
        """The parameter whose gradient says whether a loss belongs to this optimizer: the next that has one."""
        trained = [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]
        trained = trained or [p for group in self.optimizer.param_groups for p in group["params"]]
        for _parameter in trained:
            self._chosen = (self._chosen + 1) % len(trained)
            if trained[self._chosen].grad is not None:
                break
        self.witness: Tensor = trained[self._chosen]

    def part(self, losses: list[Loss]) -> float:
        """What to divide the losses of a step by: 1/n where accumulation divided each of n by their number, else 1."""
        factor = losses[0].factor
        if len(losses) > 1:
            shared = all(loss.factor == factor for loss in losses)
            parts = 1 / factor
            known = shared and parts > 1.5 and abs(parts - round(parts)) < 1e-3
            self.accumulates = factor if known else 1.0
        return factor if self.accumulates is not None and self.accumulates == factor else 1.0


class _Later:
    """A number that is computed from tensors when they are read together."""

    __slots__ = ("above", "below", "scale")

    def __init__(self, above: list[Any], below: list[Any], scale: float) -> None:
        self.above, self.below, self.scale = above, below, scale


_Waiting = tuple[str, int, "float | _Later", float]  # a row whose value may have to be read yet


def _settled(value: Any) -> "float | _Later":
    if not isinstance(value, Tensor):
        return float(value)
    with closer.unheard():
        return float(value) if value.device.type in READ_AT_ONCE else _Later([value.detach().clone()], [1], 1.0)


def _mean(values: list[Any], factor: float) -> "float | _Later":
    if len(values) == 1 and type(values[0]) is float:
        return values[0] / factor
    if any(isinstance(value, Tensor) for value in values):
        return _Later(values, [1] * len(values), 1 / factor)
    return float(sum(values) / factor / len(values))


def _ratio(right: list[Any], total: list[Any]) -> "float | _Later | None":
    if any(isinstance(one, Tensor) and one.device.type not in READ_AT_ONCE for one in (*right, *total)):
        return _Later(right, total, 1.0)
    heard = torch._C._len_torch_dispatch_stack()  # by a dispatcher of the learner's own
    with closer.unheard() if heard else contextlib.nullcontext():
        count = sum(float(one) for one in total)
        return sum(float(one) for one in right) / count if count else None


class _Asked:
    """Rows whose numbers have been asked for: one copy per device and type of number, whatever the number of rows."""

    def __init__(self, waiting: list[_Waiting]) -> None:
        self._waiting = waiting
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for _name, _step, value, _time in waiting:
            if isinstance(value, _Later):
                for one in (*value.above, *value.below):
                    if isinstance(one, Tensor):
                        groups.setdefault((one.device, one.dtype), []).append(one)
        self._copies = [
            (tensors, _Copy(torch.stack([tensor.reshape(()) for tensor in tensors]))) for tensors in groups.values()
        ]

    def is_there(self) -> bool:
        """Whether reading would wait for nothing."""
        return all(copy.is_there() for _tensors, copy in self._copies)

    def rows(self) -> list[Row]:
        """The rows with their numbers. Waits for those that have not come yet."""
        numbers: dict[int, float] = {}
        for tensors, copy in self._copies:
            numbers.update(zip(map(id, tensors), copy.numbers(), strict=True))
        rows: list[Row] = []
        for name, step, value, when in self._waiting:
            if isinstance(value, _Later):
                above = sum(numbers[id(one)] if isinstance(one, Tensor) else one for one in value.above)
                below = sum(numbers[id(one)] if isinstance(one, Tensor) else one for one in value.below)
                if below:
                    rows.append((name, step, float(above / below * value.scale), when))
            else:
                rows.append((name, step, value, when))
        return rows


class _Copy:
    """Numbers on their way from a device to the processor. Asking for them lets the device and the loop go on."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers
        self._at = perf_counter()
        self._arrived: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            # Into pinned memory, which the device fills by itself; the event is behind the copy in the same queue.
            self._numbers = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            self._numbers.copy_(numbers, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves events without types
            self._arrived.record(torch.cuda.current_stream(numbers.device))

    def is_there(self) -> bool:
        """Whether they have come. Of a device that cannot be asked, they are read now and then all the same."""
        if self._arrived is None:
            return perf_counter() - self._at >= _UNASKED_S
        return bool(self._arrived.query())  # type: ignore[no-untyped-call]  # as above

    def numbers(self) -> list[float]:
        """The numbers themselves. Waits where they have not come yet."""
        if self._arrived is not None:
            self._arrived.synchronize()
        found: list[float] = self._numbers.tolist()
        return found


def _recording_a_graph() -> bool:
    """Whether CUDA writes down what this thread asks for, to replay it later: nothing of ours belongs in there."""
    return bool(torch.cuda.is_initialized()) and torch.cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


def _pace(step: int, steps: float, seconds: float, samples: float) -> list[Row]:
    now = time.time()
    rows: list[Row] = [("step_s", step, seconds / steps, now)]
    return [*rows, ("samples_per_s", step, samples / seconds, now)] if samples else rows


def _listed(value: Any, kind: type) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, kind) else list(value)


def _gradient_norm(optimizer: Optimizer) -> Tensor | None:
    with closer.unheard():
        gradients = [
            parameter.grad.detach()
            for group in optimizer.param_groups
            for parameter in group["params"]
            if type(parameter.grad) is Tensor and parameter.grad.layout == torch.strided and not parameter.grad.is_meta
        ]
        return torch.nn.utils.get_total_norm(gradients) if gradients else None


def _rest_when_cells_end(recorder: Recorder) -> None:
    """In a notebook the loop is left when its cell ends, and may go on in a later one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return

    def begin(_info: Any = None) -> None:
        if not recorder._active:
            with contextlib.suppress(ValueError):
                shell.events.unregister("pre_run_cell", begin)
        elif recorder._leader is None:  # no step yet: the loop may stand in the cell that begins now
            recorder._begin_looks()

    def rest(result: Any = None) -> None:
        if not recorder._active:
            with contextlib.suppress(ValueError):
                shell.events.unregister("post_run_cell", rest)
        elif recorder.thread == threading.get_ident():
            recorder._drop_looks()
            recorder.run.rest(getattr(result, "error_in_exec", None))

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", rest)
