"""What `fl.watch` is measured with: the works learn, watched and not, and their numbers are the same bits."""

from pathlib import Path

import pytest
from benchmarks.record_size import on_disk, written
from benchmarks.watch_overhead import Stream, measure
from benchmarks.watched import WORKS

import firstlight as fl


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")


def test_resnet18_is_the_real_one() -> None:
    # torchvision's ResNet-18 with ten classes has 11,181,642 weights; the first layer is 3 x 3 here instead of 7 x 7.
    assert sum(weight.numel() for weight in WORKS["resnet18"].model().parameters()) == 11_181_642 - 64 * 3 * (49 - 9)


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_watched_and_plain_steps_give_the_same_bits(name: str) -> None:
    found = measure(name, 1, quiet=None)
    assert found["bit_identical"]
    assert len(found["overhead_of_rounds"]) == 4
    assert found["looks"] > 0, "the watched copy was looked at"


def test_the_plain_copy_meets_no_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    from firstlight.run.taps import taps

    listening: list[bool] = []
    block = Stream.block

    def noted(self: Stream, steps: int, *, counts: bool = True) -> None:
        listening.append(bool(taps.recorders))
        block(self, 1, counts=counts)

    monkeypatch.setattr(Stream, "block", noted)
    measure("mlp", 1, quiet=None)
    first = [False] * 2 + [True] * 2 + [False] * 2  # the watched copy's first step of all counts
    later = [False] * 2 + [True] * 3 + [False] * 2
    assert listening[2:] == [False, *first, *3 * later, True], "after both have warmed up"


def test_a_record_is_measured_while_it_grows_and_at_its_end() -> None:
    stream = Stream(WORKS["mlp"])
    run = fl.watch(stream.model, stream.optimizer)
    stream.block(20)
    early = written(Path(run.folder))
    run.finish()
    assert 0 < early <= written(Path(run.folder)) <= on_disk(Path(run.folder))
