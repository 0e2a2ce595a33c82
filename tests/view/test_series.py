import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.view.series import LIMIT, Series, smooth


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5000))
def test_a_series_keeps_its_ends_and_its_mean(values: list[float]) -> None:
    series = Series()
    for step, value in enumerate(values):
        series.add(step, value)
    assert len(series) <= LIMIT
    assert series.x[-1] == len(values) - 1
    assert min(series.low) == min(values)
    assert max(series.high) == max(values)
    full = series.mean[: len(values) // series.per_bucket]
    expected = [
        sum(values[i * series.per_bucket : (i + 1) * series.per_bucket]) / series.per_bucket for i in range(len(full))
    ]
    assert full == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_a_million_steps_stay_small() -> None:
    series = Series()
    for step in range(1_000_000):
        series.add(step, 1.0)
    assert 0 < len(series) <= LIMIT
    assert series.per_bucket == 2048
    assert series.generation == 11


def test_values_that_are_not_numbers_are_remembered_not_drawn() -> None:
    series = Series()
    for step, value in enumerate([1.0, math.nan, math.inf, 2.0]):
        series.add(step, value)
    assert series.mean == [1.0, 2.0]
    assert series.lost_at == 1
    series.add(4, math.nan)
    assert math.isnan(series.current())
    assert math.isnan(Series().current())


def test_the_trend_follows_without_delay() -> None:
    random.seed(0)
    line = [i / 100 for i in range(400)]
    trend = smooth([value + random.gauss(0, 0.1) for value in line])
    assert all(abs(a - b) < 0.25 for a, b in zip(trend, line, strict=True))
    assert abs(sum(trend[100:300]) - sum(line[100:300])) / 200 < 0.02, "no lag in the middle"


def test_few_values_are_not_smoothed() -> None:
    assert smooth([1.0, 5.0, 2.0]) == [1.0, 5.0, 2.0]
