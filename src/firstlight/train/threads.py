"""How many threads a step uses, beside neighbours that come and go.

A parallel step waits at each of its barriers for its slowest thread. When another process (a browser, a classmate on
the same machine) holds one of the cores, that thread is the one that is not running, and a step can take twenty times
as long. With one thread fewer, the step hardly notices the neighbour. So `Threads` looks at the machine ten times a
second, takes no more threads than there are free cores, and tries now and then, for a few steps, whether fewer or
more would be quicker for this model.
"""

import math
import os
import threading
import time
import weakref
from collections import deque
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from firstlight.locale import _
from firstlight.train.cgroup import cores_allowed

_LOOK_S = 0.1  # between two looks at the machine, which counts time in hundredths of a second
_SHORTEST_LOOK_S = 0.05
_LATELY_S = 0.5  # what was further back than that says little about now
_COMES, _LEAVES = 0.35, 0.25  # of a core: from here on a neighbour counts, and from here on no longer
_QUIET_S = 0.3  # of quiet before threads are added again; they are taken away after one look
_GAIN = 0.95  # another number is taken if its steps need less than this share of the time
_CLEARLY = 1.5  # a trial ends at once when the steps of one number take so many times as long as the other's
_BLOCK_S, _LEAST_STEPS, _MOST_STEPS = 0.02, 1, 40  # how long the old and the new number take turns in a trial
_GRACE_S, _SHARE = 0.3, 0.015  # what trials may cost: this much at first, and this share of the time since
_PAUSE_S, _LONGEST_PAUSE_S = 4.0, 64.0  # between trials, doubled each time that nothing changed
_WARM_STEPS = 3  # the first steps of a loop choose algorithms and make the optimizer's state
_STALL = 8.0  # a step that takes so many times the usual was interrupted, or waited for a thread that did not run
_SLOWER = 1.5  # steps have become so much slower than they were: the last trial says nothing any more
_RECENT = 5  # steps whose mean, the longest left out, is the usual time of a step
_LOOP_ENDED_S = 2.0  # another optimizer leads when the one that led has not stepped for so long


class Threads:
    """As many threads as serve this loop on this machine, now.

    Call `tick` after each step, in the thread of the loop. Whoever has chosen a number keeps it: by a whole number in
    `wanted`, by `OMP_NUM_THREADS` or `MKL_NUM_THREADS`, or by `torch.set_num_threads`, before or meanwhile. On an
    accelerator, threads are left alone.

    Args:
        wanted: A number of threads, or "auto".
        adapt: Go on adapting while the loop runs. Without it the free cores at the start decide, and the number stays:
            with another one, sums are added in another order, and their last bits differ.
        device: Where the model is.

    Attributes:
        number: How many threads there are now.

    Example:
        >>> with Threads(1) as threads:
        ...     threads.tick()
        ...     threads.number
        1
    """

    def __init__(
        self, wanted: int | str = "auto", *, adapt: bool = True, device: torch.device | str | None = None
    ) -> None:
        on_cpu = device is None or torch.device(device).type == "cpu"
        self._fixed = int(wanted) if on_cpu and wanted != "auto" else None
        self._machine = machine() if on_cpu and self._fixed is None and not somebody_has_chosen() else None
        self._adapt = adapt and not torch.are_deterministic_algorithms_enabled()
        self._policy: Policy | None = None
        self._before: int | None = None  # what to go back to
        self._above: Threads | None = None  # whom this one stands in for
        self._all = 1  # how many threads torch would take
        self._last = 0.0
        self.number = torch.get_num_threads()

    @property
    def line(self) -> str:
        """What to tell the person about the threads: "" while all are used."""
        if self._machine is None or self._before is None or self.number >= self._all:
            return ""
        values = {"threads": self.number, "all": self._all}
        if self._machine.others >= _COMES:
            return _("{threads} of {all} threads, as other programs are busy", **values)
        return _("{threads} of {all} threads", **values)

    def start(self) -> None:
        """Choose a number to begin with."""
        self._above = _started[-1] if _started else None
        _started.append(self)
        self._before = self.number = torch.get_num_threads()
        self._all = _without_neighbours()
        if self._fixed is not None:
            self._set(self._fixed)
        elif self._machine is not None:
            most = min(self._all, self._machine.cores)
            if most > 1:
                known = self._machine.lately
                self._machine.look(readings=(0 if known else 1) if self._adapt else 2)
            self._set(min(most, self._machine.free))
            if self._adapt and most > 1:
                self._policy = Policy(most, self.number, self._machine)
        self._last = time.perf_counter()

    def tick(self) -> None:
        """A step is done."""
        if self._policy is None:
            return
        now = time.perf_counter()
        took, self._last = now - self._last, now
        if torch.get_num_threads() != self.number:  # somebody has chosen in the meantime, and keeps it
            self._policy = self._before = None
            return
        wanted = self._policy.after_step(took, now)
        if wanted != self.number:
            self._set(wanted)

    def pause(self) -> None:
        """What was since the last step was no step, such as an evaluation: its time is not the next step's."""
        if self._policy is not None and self._machine is not None and torch.get_num_threads() == self.number:
            self._machine.look()
            self._set(self._policy.look(time.perf_counter()))

    def stop(self) -> None:
        """Give the threads back as they were, unless somebody has chosen in the meantime."""
        if self._before is not None and torch.get_num_threads() == self.number:
            self._set(self._before)
        if self in _started:
            _started.remove(self)
        self._policy = self._before = self._above = None

    def __enter__(self) -> "Threads":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _set(self, number: int) -> None:
        self.number = number
        if torch.get_num_threads() != number:
            torch.set_num_threads(number)


_started: list[Threads] = []  # the last one is in charge: `fit` inside a notebook stands in for the kernel's


def _without_neighbours() -> int:
    """How many threads there would be now if none had been taken away here."""
    number = torch.get_num_threads()
    if _started and _started[-1]._above is not None:
        return max(number, _started[-1]._above._all)
    return max(number, _kernel.most) if _kernel is not None and number == _kernel.number else number


def somebody_has_chosen() -> bool:
    """Whether the person has said how many threads there are to be."""
    if any(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")):
        return True
    number = torch.get_num_threads()
    if _started or (_kernel is not None and number == _kernel.number):
        return False  # it is ours
    affinity = getattr(os, "sched_getaffinity", None)
    own = len(affinity(0)) if affinity is not None else None
    return number not in (own, os.cpu_count(), psutil.cpu_count(logical=False))  # what torch begins with


class Machine:
    """The cores that this process may use, and how many of them others use.

    Attributes:
        cores: How many this process may use.
        free: How many of them nobody else uses, at least 1.
        others: What others used between the last two looks, in cores.
        looked: When the last look was.
    """

    def __init__(self) -> None:
        self.cores = cores_allowed()
        self.free = self.cores
        self.others = 0.0
        every, affinity = os.cpu_count() or 1, getattr(os, "sched_getaffinity", None)
        allowed = sorted(affinity(0)) if affinity is not None else range(every)
        self._allowed = None if len(allowed) == every else allowed  # None: all of them
        self._watched = len(allowed)  # more than `cores` where a container has a quota
        # A neighbour of lower priority steps aside, unless this process is such a one itself, or Linux shares the cores
        # out among sessions first: then priority counts only among the processes of one terminal.
        self._nice_counts = _shared_by_session() or (
            hasattr(os, "getpriority") and os.getpriority(os.PRIO_PROCESS, 0) > 0
        )
        self._quiet_s = 0.0
        self._has_looked = False
        self.looked, self._busy, self._own = time.perf_counter(), self._busy_s(), time.process_time()

    @property
    def lately(self) -> bool:
        """Whether the last look says something about now."""
        return self._has_looked and time.perf_counter() - self.looked < _LATELY_S

    def look(self, *, readings: int = 0) -> None:
        """Read how busy the others are.

        Args:
            readings: So many new ones, of 50 ms each, of which the lowest counts: two for a decision that will stay.
                None: what was since the last look.
        """
        if readings:
            loads = []
            if time.perf_counter() - self.looked > _LATELY_S:
                self._read()  # begins anew
            for _turn in range(readings):
                time.sleep(max(0.0, self.looked + _SHORTEST_LOOK_S - time.perf_counter()))
                self._read()
                loads.append(self.others)
            self.others = min(loads)
        elif time.perf_counter() - self.looked < _SHORTEST_LOOK_S:
            return  # the kernel counts in hundredths of a second
        else:
            self._quiet_s += self._read()
        fewer, more = self._left_by(self.others - _COMES), self._left_by(self.others - _LEAVES)
        if more <= self.free:
            self._quiet_s = 0.0
        if fewer < self.free:
            self.free = fewer
        elif self._quiet_s >= _QUIET_S:
            self.free, self._quiet_s = more, 0.0

    def _left_by(self, others: float) -> int:
        return max(1, min(self.cores, self._watched - max(0, math.ceil(others))))

    def _read(self) -> float:
        now, busy, own = time.perf_counter(), self._busy_s(), time.process_time()
        took = max(now - self.looked, 1e-3)
        self.others = max(0.0, (busy - self._busy) - (own - self._own)) / took
        self.looked, self._busy, self._own, self._has_looked = now, busy, own, True
        return took

    def _busy_s(self) -> float:
        """Seconds that the cores have worked, since the machine was started."""
        if self._allowed is None:
            cores = [psutil.cpu_times()]
        else:
            every = psutil.cpu_times(percpu=True)
            cores = [every[number] for number in self._allowed if number < len(every)]
        names = ("user", "system", "irq", "softirq", "steal", *(["nice"] if self._nice_counts else []))
        return float(sum(getattr(core, name, 0.0) for core in cores for name in names))


def _shared_by_session() -> bool:
    try:
        return Path("/proc/sys/kernel/sched_autogroup_enabled").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


@cache
def machine() -> Machine:
    """The one that all loops of this process look at: a loop begins with what the one before it has seen last."""
    return Machine()


class Policy:
    """Which number of threads comes next: the free cores say how many at most, trials say how many are quickest.

    Args:
        most: The highest number.
        number: The number at the start.
        beside: Where to look at the neighbours.
    """

    def __init__(self, most: int, number: int, beside: Machine) -> None:
        self._most = most
        self._machine = beside
        self.number = number
        self._free = min(most, beside.free)
        self._found: dict[int, int] = {}  # free cores -> the number that trials found best beside them
        self._trial: _Trial | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)  # seconds of the last steps with this number
        self._known: dict[int, float] = {}  # number -> seconds of a step when it was last used
        self._at_best: float | None = None  # seconds of a step when the last trial ended
        self._skip = _WARM_STEPS
        self._began = time.perf_counter()
        # Beside a neighbour, with as many threads as there are free cores, the next trial would be one too many.
        self._next_trial = self._began + (_PAUSE_S if number >= self._free < most else 0.0)
        self._spent = 0.0  # seconds that trials have cost
        self._pause = _PAUSE_S
        self._upwards = False  # which way the next trial goes

    def interrupted(self) -> None:
        """The time until the next step is no step's."""
        self._skip = max(self._skip, 1)

    def look(self, now: float) -> int:
        """The number after a look at the machine, between two loops."""
        self.interrupted()
        changed = self._free != min(self._most, self._machine.free)
        return self._neighbours_changed(now) if changed else self.number

    def after_step(self, took: float, now: float) -> int:
        """The number of threads for the next step, after one that took so many seconds."""
        usual = self._usual()
        stalled = usual is not None and took > 3 * usual and self.number > 1
        if now - self._machine.looked > (_SHORTEST_LOOK_S if stalled else _LOOK_S):
            self._machine.look()
            if self._free != min(self._most, self._machine.free):
                return self._neighbours_changed(now)
        trial = self._trial
        if trial is not None and trial.other > self._free and self.number == trial.other and trial.stalls(took):
            return self._end_trial(took, now)
        if self._skip:
            self._skip -= 1
            return self.number
        if trial is not None:
            return self._go_on_trying(took, now)
        self._recent.append(took)
        if (usual := self._usual()) is None:
            return self.number
        if (better := self._known_to_be_better(usual)) is not None:
            self._found[self._free] = better
            self._next_trial, self._upwards = now + self._pause, True
            return self._move(better)
        if self._at_best is not None and usual > _SLOWER * self._at_best:
            self._at_best, self._pause, self._next_trial = None, _PAUSE_S, now
        if now >= self._next_trial:
            self._begin_trial(now, usual)
        return self.number

    def _usual(self) -> float | None:
        """Seconds of a step, lately. One that was interrupted is left out."""
        recent = self._recent
        return (sum(recent) - max(recent)) / (_RECENT - 1) if len(recent) == _RECENT else None

    def _known_to_be_better(self, usual: float) -> int | None:
        """A lower number that was quicker when it was last used.

        So a neighbour is noticed too whom the system does not show, such as one on the same chip in another virtual
        machine, or one that gives way, but not at once.
        """
        lower = [number for number in self._known if number < self.number]
        best = min(lower, key=self._known.__getitem__, default=None)
        return best if best is not None and usual > _CLEARLY * self._known[best] else None

    def _neighbours_changed(self, now: float) -> int:
        self._free = min(self._most, self._machine.free)
        self._trial = None
        known = self._found.get(self._free)
        self._pause = _PAUSE_S
        # Down to the free cores nothing has to be tried: what is lost there is known. Upwards can wait a little.
        self._next_trial = now + (_PAUSE_S if known is not None or self._free == 1 else 1.0)
        return self._move(min(self._free, self._found.get(self._most, self._most)) if known is None else known)

    def _move(self, number: int) -> int:
        if number != self.number:
            if (usual := self._usual()) is not None:
                self._known[self.number] = usual
            self.number, self._skip = number, 1  # the first step with another number prepares its algorithms
            self._recent.clear()
            self._at_best = None
        return number

    def _begin_trial(self, now: float, usual: float) -> None:
        steps = min(max(math.ceil(_BLOCK_S / max(usual, 1e-6)), _LEAST_STEPS), _MOST_STEPS)
        # With half the threads, a block takes twice as long as its quickest steps do now: stalls have another reason.
        expected = (steps + 1) * min(self._recent)
        other = self._other()
        if other is not None and other > self._free:
            expected *= _STALL  # but more threads than free cores may have to wait
        if expected > _GRACE_S + _SHARE * (now - self._began) - self._spent:
            self._next_trial = now + max(_LOOK_S, usual)
            return
        if other is None:
            self._next_trial = math.inf
            return
        self._trial = _Trial(self.number, other, steps, usual)

    def _other(self) -> int | None:
        """The next number to try: the next power of two, the free cores or all of them, down or up."""
        rungs = {2**power for power in range(self._most.bit_length())} | {self._free, self._most}
        below = [rung for rung in rungs if rung < self.number]
        above = [rung for rung in rungs if self.number < rung <= self._most]
        if self._upwards:
            return min(above) if above else max(below, default=None)
        return max(below) if below else min(above, default=None)

    def _go_on_trying(self, took: float, now: float) -> int:
        trial = self._trial
        assert trial is not None
        number = trial.after_step(took)
        if not trial.over:
            if number != self.number:
                self.number, self._skip = number, 1
            return number
        return self._end_trial(0.0, now)

    def _end_trial(self, lost: float, now: float) -> int:
        trial, self._trial = self._trial, None
        assert trial is not None
        self._spent += trial.cost + lost
        self._upwards = trial.other > trial.own
        self._found[self._free] = trial.other if trial.won else trial.own
        if trial.won:
            self._pause, self._next_trial = _PAUSE_S, now  # on in the same direction
        else:
            self._upwards = not self._upwards
            self._next_trial, self._pause = now + self._pause, min(2 * self._pause, _LONGEST_PAUSE_S)
        self._recent.clear()
        best = self._move(self._found[self._free])
        self._known.update(trial.times())
        self._at_best = trial.best
        return best


class _Trial:
    """Two numbers of threads take turns, a block of steps each: own, other, own, other.

    Turns, because a machine that becomes slower or faster in between then does so for both.
    """

    def __init__(self, own: int, other: int, steps: int, usual: float) -> None:
        self.own, self.other = own, other
        self.over = self.won = False
        self._steps = steps
        self._usual = usual
        self._own_s: list[float] = []
        self._other_s: list[float] = []
        self._excused = 0.0

    @property
    def cost(self) -> float:
        """Seconds that the steps with the other number took more than with the own one."""
        each = sum(self._own_s) / len(self._own_s) if self._own_s else self._usual
        return max(0.0, sum(self._other_s) + self._excused - len(self._other_s) * each)

    @property
    def best(self) -> float:
        """Seconds of a step with the number that is better."""
        return self.times().get(self.other if self.won else self.own, self._usual)

    def times(self) -> dict[int, float]:
        """Seconds of a step with each of the two."""
        both = {self.own: self._own_s, self.other: self._other_s}
        return {number: sum(times) / len(times) for number, times in both.items() if times}

    def stalls(self, took: float) -> bool:
        """Whether a step took so long that it was interrupted, or waited for a thread that did not run."""
        return took > _STALL * self._usual

    def after_step(self, took: float) -> int:
        """The number for the next step; `over` says that this was the last, `won` that the other one is better."""
        if self.stalls(took) and not self._excused:
            self._excused = took  # a printed line, a picture, an evaluation: one of them is no step's fault
            return self._turn()
        own, other = self._own_s, self._other_s
        if self._turn() == self.own:
            own.append(took)
            return self._turn()
        other.append(took)
        if sum(other) > _CLEARLY * sum(own):  # though the last block may only have begun
            self.over = True
        elif len(other) == len(own) and _CLEARLY * sum(other) < sum(own):
            self.over = self.won = True
        elif len(other) == 2 * self._steps:
            self.over, self.won = True, sum(other) < _GAIN * sum(own)
        return self._turn()

    def _turn(self) -> int:
        done, steps = len(self._own_s) + len(self._other_s), self._steps
        return self.other if (done // steps) % 2 else self.own


class KernelThreads:
    """The threads of the loops that a learner writes, in the kernel of a notebook.

    Each `optimizer.step()` is a tick, through the hook that torch offers for all optimizers. Of several optimizers in
    one loop, the first leads.

    Attributes:
        number: How many threads there are now.
        most: How many there are without neighbours.
    """

    def __init__(self) -> None:
        self._machine = machine()
        self.number = torch.get_num_threads()
        self.most = min(self.number, self._machine.cores)
        self._off = self.most == 1 or somebody_has_chosen()
        self._policy: Policy | None = None
        self._leader: weakref.ref[Optimizer] | None = None
        self._ticked = 0.0

    def before_cell(self, _info: Any = None) -> None:
        """A cell begins, with as many threads as there are free cores."""
        if not self._is_mine():
            return
        self._machine.look()
        number = min(self.most, self._machine.free)
        self._set(number if self._policy is None else self._policy.look(time.perf_counter()))

    def after_step(self, optimizer: Optimizer, _args: Any = None, _kwargs: Any = None) -> None:
        """Some optimizer in this kernel has made a step."""
        if not self._is_mine():
            return
        try:
            self._tick(optimizer)
        except Exception:  # noqa: BLE001  nothing that is wrong here may end a learner's loop
            self._off = True

    def _tick(self, optimizer: Optimizer) -> None:
        now = time.perf_counter()
        leader = self._leader() if self._leader is not None else None
        if optimizer is leader:
            took, self._ticked = now - self._ticked, now
            if self._policy is not None:
                self._set(self._policy.after_step(took, now))
        elif leader is None or now - self._ticked > _LOOP_ENDED_S:
            self._leader, self._ticked = weakref.ref(optimizer), now
            on_cpu = all(weight.device.type == "cpu" for weight in optimizer.param_groups[0]["params"][:1])
            exact = torch.are_deterministic_algorithms_enabled()
            self._policy = None
            if on_cpu and not exact:
                self._set(min(self.most, self._machine.free))
                self._policy = Policy(self.most, self.number, self._machine)

    def _is_mine(self) -> bool:
        """Whether the number is this one's to change: not `fit`'s, and nobody has chosen."""
        if self._off or _started or threading.get_ident() != _MAIN:
            return False
        if torch.get_num_threads() != self.number or (self._policy is None and somebody_has_chosen()):
            self._off = True
        return not self._off

    def _set(self, number: int) -> None:
        if number != self.number:
            torch.set_num_threads(number)
            self.number = number


_kernel: KernelThreads | None = None
_MAIN = threading.main_thread().ident  # where cells run; a number of threads holds for the thread that sets it


def attend_kernel(shell: Any = None) -> None:
    """From now on, look after the threads of the learner's own loops in this process.

    Args:
        shell: The IPython of the kernel: each of its cells then begins with as many threads as there are free cores.
    """
    global _kernel
    if _kernel is not None:
        return
    _kernel = KernelThreads()
    register_optimizer_step_post_hook(_kernel.after_step)
    if shell is not None:
        shell.events.register("pre_run_cell", _kernel.before_cell)
