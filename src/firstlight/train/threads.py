"""How many threads a step uses, beside neighbours that come and go.

A parallel step waits at each of its barriers for its slowest thread. When another process (a browser, a classmate on
the same machine) holds one of the cores, that thread is the one that is not running, and a step can take twenty times
as long. One thread fewer, and the step hardly notices the neighbour. So `Threads` looks at the machine ten times a
second, takes as many threads as there are free cores, and tries now and then, on a few steps, whether half or twice
as many are quicker for this model.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import torch

from firstlight.locale import _

_LOOK_S = 0.1  # between two looks at the machine: ten ticks of the kernel's own clock, on most systems
_COMES, _LEAVES = 0.35, 0.25  # of a core: a neighbour who uses more than the first counts, until less than the second
_QUIET_LOOKS = 3  # looks that must agree before threads are added again; they are taken away at once
_BLOCK_S, _BLOCK_STEPS, _BLOCKS = 0.015, 3, 4  # a trial: blocks of steps, old and new number by turns
_GRACE_S, _SHARE = 0.15, 0.01  # what trials may cost: this much at first, and this share of the time since
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 80.0  # between two trials; doubled as long as nothing changes
_GAIN = 0.95  # another number is taken when it needs less than this share of the time
_STALL = 8  # a step that takes so many times the typical one was interrupted, or waited for a thread
_IDLE_S = 2.0  # a loop that has not stepped for so long is over


class Threads:
    """As many threads as serve this loop on this machine, now.

    Call `tick` after each step, in the thread of the loop. Nothing is changed where somebody has chosen: a whole
    number as `wanted`, `OMP_NUM_THREADS` or `MKL_NUM_THREADS` in the environment, or `torch.set_num_threads` while
    the loop goes.

    Args:
        wanted: A number of threads, or "auto".
        adapt: Go on adapting while the loop runs. Without it the number is chosen at the start, by the free cores:
            sums of floats are added in another order with another number of threads, and their last bits differ.
        device: Where the model is. Away from the CPU, threads are left alone.

    Attributes:
        number: How many threads there are now.
        line: What to tell the person, or "".

    Example:
        >>> with Threads(1) as threads:
        ...     threads.tick()
        ...     threads.number
        1
    """

    def __init__(
        self, wanted: int | str = "auto", *, adapt: bool = True, device: torch.device | str | None = None
    ) -> None:
        self._fixed = None if wanted == "auto" else int(wanted)
        self._on_cpu = device is None or torch.device(device).type == "cpu"
        self._free_to_choose = self._fixed is None and self._on_cpu and not chosen_in_environment()
        self._adapt = adapt and self._free_to_choose
        self._before: int | None = None
        self.number = torch.get_num_threads()
        self.line = ""
        self._machine = _Machine() if self._free_to_choose else None
        self._policy: _Policy | None = None
        self._last = 0.0

    def start(self) -> None:
        """Choose a number to begin with."""
        global _in_charge
        self._before, _in_charge_before = torch.get_num_threads(), _in_charge
        self._above, _in_charge = _in_charge_before, self
        if self._fixed is not None:
            self._set(self._fixed)
        elif self._machine is not None:
            most = min(self._before, self._machine.cores)
            first = min(most, self._machine.free_soon())
            self._set(first)
            if self._adapt and most > 1:
                self._policy = _Policy(most, first, self._machine)
            if first < self._before:
                self.line = _(
                    "{threads} of {cores} threads: the machine is busy with other work.",
                    threads=first,
                    cores=self._before,
                )
        self._last = time.perf_counter()

    def tick(self) -> None:
        """A step is done: look at how long it took, and at the machine from time to time."""
        policy = self._policy
        if policy is None:
            return
        now = time.perf_counter()
        took, self._last = now - self._last, now
        wanted = policy.after(took, now)
        if wanted != self.number:
            if torch.get_num_threads() != self.number:  # somebody has chosen in the meantime
                self._policy, self.number = None, torch.get_num_threads()
                self._before = None
                return
            self._set(wanted)

    def pause(self) -> None:
        """What follows is no step (an evaluation): it does not count as the time of the next one."""
        if self._policy is not None:
            self._policy.interrupted()

    def stop(self) -> None:
        """Give the threads back as they were, unless somebody has chosen in the meantime."""
        global _in_charge
        if self._before is not None and torch.get_num_threads() == self.number != self._before:
            torch.set_num_threads(self._before)
        if _in_charge is self:
            _in_charge = self._above
        self._policy = self._before = None

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


_in_charge: Threads | None = None


def attend_kernel(shell: Any = None) -> None:
    """Look after the threads of the learner's own loops in this kernel."""


def chosen_in_environment() -> bool:
    """Whether the person has said how many threads there shall be."""
    return any(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))
