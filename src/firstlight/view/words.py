"""Numbers and durations as a learner reads them. Sizes in bytes are in `locale.units`."""

import math

from firstlight.locale import _


def number(value: float) -> str:
    """A metric with three digits that matter.

    Example:
        >>> number(0.41234), number(1234567.0), number(0.0000123), number(float("nan"))
        ('0.412', '1.23e+06', '1.23e-05', 'nan')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    size = abs(value)
    if size >= 1e5 or size < 1e-3:
        return f"{value:.3g}"
    return f"{value:.3f}" if size < 10 else f"{value:.4g}"


def share(value: float) -> str:
    """A share from 0.0 to 1.0 as a percentage.

    Example:
        >>> share(0.8642)
        '86.4%'
    """
    return f"{100 * value:.1f}%" if math.isfinite(value) else f"{value:g}"


def count(value: float) -> str:
    """A whole number with its thousands set apart.

    Example:
        >>> count(12345)
        '12,345'
    """
    return f"{round(value):,}"


def duration(seconds: float) -> str:
    """A length of time, as exact as a person needs it.

    Example:
        >>> duration(7.4), duration(95), duration(3 * 3600 + 120)
        ('7 s', '1 min 35 s', '3 h 2 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return _("{seconds} s", seconds=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)


def short(value: float | None) -> str:
    """A number of any size in few letters: `0.03`, `3.2e-5`; a dash for none.

    Example:
        >>> short(0.03), short(0.000032), short(0.0), short(None), short(12.34), short(float("inf"))
        ('0.03', '3.2e-5', '0', '–', '12', 'inf')
    """
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e5:
        return f"{float(f'{value:.2g}'):g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
