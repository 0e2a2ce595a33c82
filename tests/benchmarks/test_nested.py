"""Samples of different shapes: what is timed computes the same in each way, and what is found becomes rows."""

import pytest
import torch
from benchmarks.harness import Comparison, ContenderFailed, Quiet, Turn
from benchmarks.rows import ROWS

from benchmarks import nested


@pytest.mark.parametrize("work", nested.WAYS)
def test_each_way_computes_the_same_scores_of_the_same_batch(work: str) -> None:
    found = [nested.scores(work, way) for way in nested.WAYS[work]]
    for _model, forward, labels in found[1:]:
        assert torch.equal(labels, found[0][2])
        assert torch.allclose(forward(), found[0][1](), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("fast", "verdict"), [(0.01, "reached"), (0.9, "NOT reached")])
def test_each_work_becomes_a_row(fast: float, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(work: str, _quiet: Quiet) -> Comparison:
        times = {way: fast if way in ("by depth", "jagged") else 1.0 for way in nested.WAYS[work]}
        return Comparison({way: [Turn(seconds)] * 3 for way, seconds in times.items()})

    monkeypatch.setattr(nested, "compared", compared)
    rows = ROWS["shapes"](Quiet(others=1e9, slower=1e9))
    assert [row.name for row in rows] == [f"nest-{work}" for work in nested.WAYS]
    assert {row.verdict for row in rows} == {verdict}
    assert "1000.0 ms -> " in rows[0].value


def test_a_way_that_does_not_exist_fails_aloud() -> None:
    with pytest.raises(ContenderFailed):
        Quiet(others=1e9, slower=1e9).guard(lambda: nested.program("-m", "benchmarks.nested", "boats")())
