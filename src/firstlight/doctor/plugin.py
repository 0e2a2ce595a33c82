"""For pytest: the fixture `firstlight_doctor` listens while a test trains, and an alarm fails the test.

Example:
    def test_training(firstlight_doctor):
        train()

    def test_known(firstlight_doctor):
        firstlight_doctor.intended("D13")     # this test trains on one batch, and means to
        train_on_one_batch()
        assert not firstlight_doctor.report().alarms
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from firstlight.doctor.report import Report


class Listening:
    """What the fixture gives.

    Example:
        >>> listening = Listening()
        >>> listening.intended("L01", "D13")
        >>> sorted(listening.settled)
        ['D13', 'L01']
    """

    def __init__(self) -> None:
        self.settled: set[str] = set()

    def intended(self, *codes: str) -> None:
        """Say that what these rules would find is meant so."""
        self.settled.update(codes)

    def report(self) -> "Report":
        """What is found so far."""
        from firstlight.doctor.examining import examine

        return examine(proof=False)  # what a test says must not hang on the time that it had


@pytest.fixture
def firstlight_doctor() -> Iterator[Listening]:
    """Listens to what this test trains. Alarms that nobody said were intended fail the test."""
    from firstlight.doctor import witness

    if witness.witness is not None:
        witness.leave()
    witness.attend()
    try:
        yield Listening()
    finally:
        witness.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """The test has run: what was heard counts as a part of it."""
    yield
    listening = getattr(item, "funcargs", {}).get("firstlight_doctor")
    if isinstance(listening, Listening):
        report = listening.report()
        if any(alarm.code not in listening.settled for alarm in report.alarms):
            pytest.fail(report.as_text(), pytrace=False)
