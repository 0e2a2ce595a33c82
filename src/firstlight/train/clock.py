"""How long training will take: from a few measured steps, said in one line."""

import statistics
import time

from firstlight.locale import _


class Clock:
    """Measures the first steps and then knows the whole.

    Args:
        epochs: How many are planned.
        steps: Steps in one epoch, None where unknown.
        watched: How many forward passes of the size of a step the measurement after each epoch takes.
        every: Look at the time only once in so many steps. An accelerator computes behind the loop's back; the loop
            is where the accelerator is only when it has just waited for it, and it waits as seldom.
    """

    def __init__(self, epochs: int, steps: int | None, watched: float, every: int = 1) -> None:
        self._epochs, self._steps, self._watched, self._every = epochs, steps, watched, every
        self._ticks = 0
        self._last: float | None = None
        self._times: list[float] = []
        self._told = False

    def start_epoch(self) -> None:
        """What lies between two epochs is not a step."""
        self._last = None

    def tick(self) -> float | None:
        """Called after each step. Once it has seen enough, it returns the expected seconds for the whole training.

        Enough is five steps or one second of them. The first step is left out: it loads kernels and makes the
        optimizer's state. A forward pass is a third of a step (backward computes twice as much).
        """
        if self._told or self._steps is None:
            return None
        self._ticks += 1
        if self._every > 1 and self._ticks % self._every != 1:
            return None
        now = time.perf_counter()
        if self._last is not None:
            self._times.append((now - self._last) / self._every)
        self._last = now
        enough = 5 if self._every == 1 else 2
        if len(self._times) < enough and sum(self._times) * self._every < 1:
            return None
        self._told = True
        return statistics.median(self._times) * self._epochs * (self._steps + self._watched / 3)


def spell(seconds: float) -> str:
    """A time span as people say it.

    Example:
        >>> spell(0.4), spell(42.3), spell(200), spell(4000)
        ('1 s', '42 s', '3 min 20 s', '1 h 7 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return _("{seconds} s", seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(round(whole / 60), 60)
    return _("{hours} h {minutes} min", hours=hours, minutes=minutes)
