"""When schedulers step, beside the steps of their optimizers and the passes over the loader; and what they do."""

import sys
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Feed, Observer
from firstlight.doctor.places import Place, way_here
from firstlight.graph.source import kind_of_file

_MOST = 20_000  # learning rates that are kept


class _Scheduler:
    """One scheduler and what it did."""

    def __init__(self, scheduler: Any, optimizer: Optimizer) -> None:
        self.scheduler = weakref.ref(scheduler)
        self.optimizer = weakref.ref(optimizer)
        self.kind = type(scheduler).__name__
        self.numbers = {
            name: value
            for name in ("step_size", "gamma", "T_max", "T_0", "total_steps", "total_iters", "patience")
            if isinstance(value := getattr(scheduler, name, None), int | float)
        }
        milestones = getattr(scheduler, "milestones", None)
        if milestones is None and hasattr(scheduler, "_milestones"):
            milestones = scheduler._milestones
        self.milestones = [int(one) for one in milestones] if milestones else []
        self.calls = self.first_steps = self.each = self.several = self.before = 0
        self.at = 0  # steps of its optimizer at its newest step
        self.all = self.idle = 0  # steps of all optimizers by then; its steps that only other optimizers stood before
        self.place: Place | None = None
        self.stepped: Place | None = None
        self.way: list[Place] = []  # the lines that led to its first step
        self.start = _rate(optimizer, "initial_lr")
        self.rates: list[float] = []  # after each step of its own
        self.after_pass: list[tuple[int, float]] = []  # at the end of each pass that learned: its batches, the rate
        self.pass_calls: list[int] = []
        self.tenth = 0


class Schedule(Observer):
    """Fact `schedules`: one entry for each scheduler that stepped."""

    kinds: ClassVar = ("schedules",)
    gaps: ClassVar = frozenset({"step"})
    hears: ClassVar = {
        f"scheduler.{name}": (f"torch.optim.lr_scheduler.{name}", "step")
        for name in ("LRScheduler", "ReduceLROnPlateau", "CosineAnnealingWarmRestarts", "SequentialLR",
                     "ChainedScheduler")
    }  # fmt: skip

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._known: dict[int, _Scheduler] = {}
        self._stepped: weakref.WeakKeyDictionary[Optimizer, Place] = weakref.WeakKeyDictionary()

    def step(self, optimizer: Optimizer) -> None:
        if self.witness.steps_of(optimizer) == 1:
            place = self.witness.place()
            if place is not None:
                self._stepped[optimizer] = place

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        scheduler = args[0] if args else None
        optimizer = getattr(scheduler, "optimizer", None)
        if not isinstance(optimizer, Optimizer) or _from_torch():
            return
        one = self._known.get(id(scheduler))
        if one is None or one.scheduler() is not scheduler:
            one = self._known[id(scheduler)] = _Scheduler(scheduler, optimizer)
            one.place, one.way = self.witness.place(), way_here()
            one.stepped = self._stepped.get(optimizer)
        steps = self.witness.steps_of(optimizer)
        new = steps - one.at
        one.at = steps
        one.idle += not new and self.witness.steps > one.all
        one.all = self.witness.steps
        one.calls += 1
        if one.calls == 1:
            one.first_steps = steps
        elif new == 1:
            one.each += 1
        elif new > 1:
            one.several += 1
            one.before = new if one.several == 1 else one.before
        if len(one.rates) < _MOST:
            one.rates.append(_rate(optimizer))
        if one.calls == 3:
            one.tenth = self.witness.step
        if one.stepped is None:
            one.stepped = self._stepped.get(optimizer)

    def feed_ends(self, feed: Feed) -> None:
        if not feed.learned:
            return
        for one in self._known.values():
            optimizer = one.optimizer()
            if optimizer is not None and len(one.after_pass) < 1000:
                one.after_pass.append((feed.count, _rate(optimizer)))
                one.pass_calls.append(one.calls)

    def _others(self, one: _Scheduler) -> Iterator[str]:
        """Optimizers like its own that made steps, and that no scheduler is for."""
        own = one.optimizer()
        cared = {id(other.optimizer()) for other in self._known.values() if other.scheduler() is not None}
        for optimizer in self._stepped:
            if type(optimizer) is type(own) and id(optimizer) not in cared:
                yield type(optimizer).__name__

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What each scheduler did."""
        rows = [
            {
                "scheduler": one.kind,
                "numbers": one.numbers,
                "milestones": one.milestones,
                "calls": one.calls,
                "first_steps": one.first_steps,
                "each": one.each,
                "several": one.several,
                "between": one.before,
                "steps": one.at,
                "idle": one.idle,
                "others": [] if one.at else sorted(self._others(one)),
                "start": one.start,
                "rates": _thinned(one.rates),
                "passes": one.after_pass[:3],
                "count": len(one.after_pass),
                "pass_calls": one.pass_calls[:3],
                "step": one.tenth,
                "place": one.place and one.place.as_json(),
                "way": [place.as_json() for place in one.way],
                "stepped": one.stepped and one.stepped.as_json(),
            }
            for one in self._known.values()
        ]
        if rows:
            yield "schedules", rows


def _rate(optimizer: Optimizer, name: str = "lr") -> float:
    """The largest learning rate of an optimizer's groups."""
    try:
        return max(float(group[name]) for group in optimizer.param_groups)
    except (KeyError, ValueError, TypeError):
        return float("nan")


def _from_torch() -> bool:
    """Whether a scheduler is stepped by torch: as it is made, or by another one that it is part of."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        kind = kind_of_file(frame.f_code.co_filename)
        if kind == "own":
            return False
        if kind == "optimizer":
            return True
        frame = frame.f_back
    return False


def _thinned(rates: list[float]) -> list[float]:
    """At most 64 of them, the first and the last among them."""
    if len(rates) <= 64:
        return rates
    return [rates[round(at * (len(rates) - 1) / 63)] for at in range(64)]
