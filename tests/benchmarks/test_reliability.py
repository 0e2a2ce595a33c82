"""The short form of `benchmarks/reliability`: kills and full disks, once or twice each."""

import random

import pytest
from benchmarks.reliability import disk_full, kills


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_training_ends_in_the_same_weights() -> None:
    random.seed(4)
    for way, result in kills.measure(["fit", "loop", "loader"], 3).items():
        assert result.problems == [], way
        assert result.same == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not disk_full.can_mount(), reason="to mount a file system of a fixed size takes root on Linux")
def test_a_full_disk_loses_nothing_that_was_saved() -> None:
    random.seed(4)
    assert disk_full.measure(1) == []
