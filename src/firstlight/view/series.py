"""One metric, small enough to be drawn however long the training is. Shapes: N buckets, at most `LIMIT`."""

import math
from dataclasses import dataclass, field

FEW = 20  # fewer points than this are shown one by one, as they are
LIMIT = 512  # more buckets than a chart has pixels only cost time


@dataclass
class Series:
    """The points of one metric, gathered into at most `LIMIT` buckets.

    Each bucket keeps the mean, the lowest and the highest value of the same number of neighbouring points. When there
    are too many buckets, each two neighbours become one, so a million steps take as much room as five hundred.

    Attributes:
        x: Step of each bucket's last point.
        mean: Mean of the finite values in each bucket.
        low: Lowest finite value of each bucket.
        high: Highest finite value of each bucket.
        per_bucket: Points in a full bucket.
        generation: Grows each time the buckets are merged: what was sent before is then out of date.
        lost_at: First step whose value was not a finite number, or None.
        last: The newest value, finite or not.

    Example:
        >>> series = Series()
        >>> for step in range(100_000):
        ...     series.add(step, 1 / (step + 1))
        >>> len(series) <= LIMIT, series.x[-1]
        (True, 99999)
    """

    x: list[int] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    per_bucket: int = 1
    generation: int = 0
    lost_at: int | None = None
    last: float = math.nan
    _filled: int = 0  # points in the newest bucket

    def __len__(self) -> int:
        return len(self.x)

    def add(self, step: int, value: float) -> None:
        """Take in one point."""
        self.last = value
        if not math.isfinite(value):
            if self.lost_at is None:
                self.lost_at = step
            return
        if self.x and self._filled < self.per_bucket:
            n = self._filled
            self.x[-1] = step
            self.mean[-1] += (value - self.mean[-1]) / (n + 1)
            self.low[-1] = min(self.low[-1], value)
            self.high[-1] = max(self.high[-1], value)
            self._filled = n + 1
            return
        if len(self.x) == LIMIT:
            self._merge()
        self.x.append(step)
        self.mean.append(value)
        self.low.append(value)
        self.high.append(value)
        self._filled = 1

    def _merge(self) -> None:
        # All buckets are full here, so the mean of two means is the mean of their points.
        self.x = self.x[1::2]
        self.mean = [(a + b) / 2 for a, b in zip(self.mean[::2], self.mean[1::2], strict=True)]
        self.low = [min(a, b) for a, b in zip(self.low[::2], self.low[1::2], strict=True)]
        self.high = [max(a, b) for a, b in zip(self.high[::2], self.high[1::2], strict=True)]
        self.per_bucket *= 2
        self.generation += 1

    def current(self) -> float:
        """The value to put in words: smoothed where points are many, the newest where they are few.

        Not a number stays not a number: a training whose loss is `nan` must not look healthy.
        """
        if not math.isfinite(self.last) or not self.mean:
            return self.last
        return _newest(self.mean) if len(self) >= FEW else self.last


def smooth(values: list[float]) -> list[float]:
    """The trend of noisy values: each with its neighbours on both sides, nearer ones weighing more.

    Its reach grows with the number of values, so the line looks alike at fifty points and at five hundred. `curves.js`
    does the same sum.

    Shape:
        values: (N,)
        returns: (N,)

    Example:
        >>> smooth([1.0, 1.0, 1.0])
        [1.0, 1.0, 1.0]
    """
    if len(values) < FEW:
        return list(values)
    keep = _keep(len(values))
    before = _gather(values, keep)
    after = _gather(values[::-1], keep)[::-1]
    # Each value stands in both sums; weighed once, the two make one bell around it.
    return [
        (total_a + total_b - value) / (weight_a + weight_b - 1)
        for value, (total_a, weight_a), (total_b, weight_b) in zip(values, before, after, strict=True)
    ]


def _keep(count: int) -> float:
    return 1 - 1 / max(1.0, count / 32)


def _newest(values: list[float]) -> float:
    # The last value of `smooth`, without the others: values from long ago weigh nothing.
    keep = _keep(len(values))
    total = weight = 0.0
    power = 1.0
    for value in reversed(values):
        total += power * value
        weight += power
        power *= keep
        if power < 1e-4:
            break
    return total / weight


def _gather(values: list[float], keep: float) -> list[tuple[float, float]]:
    total = weight = 0.0
    sums = []
    for value in values:
        total = total * keep + value
        weight = weight * keep + 1
        sums.append((total, weight))
    return sums
