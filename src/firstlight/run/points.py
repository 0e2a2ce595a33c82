"""Metrics in memory: one row per number, in columns, 28 bytes each, so that a million steps fit."""

import threading
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Row = tuple[str, int, float, float]  # name, step, value, time


class Point(NamedTuple):
    """One value of a metric.

    Attributes:
        step: The optimiser update that it belongs to, counted from 0.
        value: The number; may be nan or infinite.
        time: When it was noted, in seconds since 1970.
    """

    step: int
    value: float
    time: float


class Points:
    """Columns that only grow. Safe to use from several threads.

    Example:
        >>> points = Points()
        >>> points.extend([("train/loss", 0, 2.3, 10.0), ("lr", 0, 0.1, 10.0), ("train/loss", 1, 2.1, 10.5)])
        >>> points.of("train/loss")
        [Point(step=0, value=2.3, time=10.0), Point(step=1, value=2.1, time=10.5)]
        >>> rows, cursor = points.since(2)
        >>> rows, cursor
        ([('train/loss', 1, 2.1, 10.5)], 3)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._names: list[str] = []
        self._last: dict[str, float] = {}
        self._metric = array("i")
        self._step = array("q")
        self._value = array("d")
        self._time = array("d")

    def __len__(self) -> int:
        return len(self._metric)

    def extend(self, rows: Iterable[Row]) -> None:
        """Append rows, in order."""
        ids, last = self._ids, self._last
        with self._lock:
            for name, step, value, time in rows:
                metric = ids.get(name)
                if metric is None:
                    metric = ids[name] = len(self._names)
                    self._names.append(name)
                self._metric.append(metric)
                self._step.append(step)
                self._value.append(value)
                self._time.append(time)
                last[name] = value

    def since(self, cursor: int, limit: int | None = None) -> tuple[list[Row], int]:
        """Rows from position `cursor` on, and the position after them."""
        with self._lock:
            end = len(self._metric) if limit is None else min(len(self._metric), cursor + limit)
            part = slice(cursor, end)
            columns = (self._metric[part], self._step[part], self._value[part], self._time[part])
            names = self._names
            return [(names[m], s, v, t) for m, s, v, t in zip(*columns, strict=True)], max(end, cursor)

    def of(self, name: str) -> list[Point]:
        """All points of one metric."""
        with self._lock:
            metric = self._ids.get(name)
            if metric is None:
                return []
            rows = np.flatnonzero(np.array(self._metric, dtype=np.int32) == metric).tolist()
            return [Point(self._step[row], self._value[row], self._time[row]) for row in rows]

    def names(self) -> list[str]:
        """Metrics in the order in which they first appeared."""
        with self._lock:
            return list(self._names)

    def last(self, name: str) -> float | None:
        """The newest value of a metric."""
        return self._last.get(name)

    def newest_step(self) -> int:
        """The highest step of any metric, -1 where there is none."""
        with self._lock:
            return max(self._step, default=-1)

    def summary(self) -> dict[str, dict[str, float | int | None]]:
        """Count, last step and value, lowest and highest value of each metric; nan is neither low nor high."""
        with self._lock:
            metric, value = np.array(self._metric, dtype=np.int32), np.array(self._value)
            step, names = np.array(self._step), list(self._names)
        found: dict[str, dict[str, float | int | None]] = {}
        for index, name in enumerate(names):
            rows = np.flatnonzero(metric == index)
            numbers = value[rows]
            known = numbers[~np.isnan(numbers)]
            found[name] = {
                "count": len(rows),
                "step": int(step[rows[-1]]),
                "last": float(numbers[-1]),
                "low": float(known.min()) if len(known) else None,
                "high": float(known.max()) if len(known) else None,
            }
        return found

    def after_fork(self) -> None:
        """In a child process: the lock may have been held by a thread that does not exist here."""
        self._lock = threading.Lock()
