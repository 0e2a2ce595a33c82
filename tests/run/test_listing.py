"""The table of runs, and leaving for TensorBoard."""

import math
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from firstlight.run import RecordNotFound, Run, RunList, Summary, UnknownMetric, runs, runs_folder
from firstlight.run.listing import Table, _summarise, duration_text, less_is_better, status_word
from firstlight.run.store import Reader


def make(folder: Path, name: str, accuracy: float | None, status: str = "finished") -> Run:
    run = Run.start(name, folder=folder)
    for step in range(3):
        run.log({"train/loss": 1 / (step + 1)}, step=step)
    if accuracy is not None:
        run.log({"test/accuracy": accuracy}, step=2)
        run.log({"test/accuracy": accuracy / 2}, step=3)
    run.finish(status)
    return run


@pytest.fixture
def some(tmp_path: Path) -> RunList:
    make(tmp_path, "first", 0.5)
    make(tmp_path, "二つ目", 0.75, "stopped")
    make(tmp_path, "none", None, "failed")
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "run.sqlite").write_bytes(b"no")
    return runs(tmp_path)


def test_the_list_is_a_table(some: RunList) -> None:
    assert {summary.name: summary.status for summary in some} == {
        "first": "finished",
        "二つ目": "stopped",
        "none": "failed",
        "broken": "damaged",
    }
    text = repr(some)
    assert "best test/accuracy" in text.splitlines()[0]
    assert "0.75" in text
    assert "damaged" in text
    html = some._repr_html_()
    assert html.count("<tr>") == 5
    assert "<td>二つ目</td>" in html
    broken = next(summary for summary in some if summary.name == "broken")
    assert "run.sqlite" in str(broken.problem)
    first = some.named("first")[0]
    assert (first.best("test/accuracy"), first.last("test/accuracy"), first.best("train/loss")) == (0.5, 0.25, 1 / 3)
    assert first.best("unknown") is first.last("unknown") is None
    assert first.steps == 4
    assert isinstance(first, Summary)
    assert first.open().metrics() == ["train/loss", "test/accuracy"]
    assert isinstance(some[1:], RunList)
    assert len(some[1:]) == 3


def test_sorting(some: RunList) -> None:
    assert [summary.name for summary in some.sort("test/accuracy")][:2] == ["二つ目", "first"]
    assert [summary.name for summary in some.sort("test/accuracy", ascending=True)][:2] == ["first", "二つ目"]
    assert some.sort("train/loss")[0].best("train/loss") == 1 / 3
    assert [summary.name for summary in some.sort("name")] == sorted(summary.name for summary in some)
    started = [summary.started for summary in some.sort()]
    assert started == sorted(started, reverse=True)
    with pytest.raises(UnknownMetric, match="test/accuracy"):
        some.sort("nothing")


def test_comparing(some: RunList) -> None:
    both = some.sort("test/accuracy")[:2]
    table = both.compare()
    assert "0.75 (last 0.375) *" in repr(table)
    assert "<th" in table._repr_html_()
    assert table.best("test/accuracy").name == "二つ目"
    assert repr(both.compare("train/loss")).count("\n") == 1
    with pytest.raises(UnknownMetric):
        both.compare("nothing")
    with pytest.raises(UnknownMetric, match="none"):
        RunList([]).sort("x")


def test_no_runs_and_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(runs(tmp_path / "nothing")) == "No runs yet."
    assert runs(tmp_path)._repr_html_() == "<p>No runs yet.</p>"
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path / "mine"))
    assert runs_folder() == tmp_path / "mine"
    run = Run.start("x")
    assert run.folder.parent == tmp_path / "mine"
    assert runs()[0].status == "running"
    run.finish()
    monkeypatch.delenv("FIRSTLIGHT_RUNS")
    assert runs_folder().name == "runs"


def test_words() -> None:
    assert duration_text(59.96) == "1 min 0 s"
    assert status_word("died") == "died"
    assert status_word("odd") == "odd"
    assert less_is_better("train/loss")
    assert not less_is_better("test/accuracy")
    text = repr(Table(("a", "b"), (("学習", "1"), ("x", "2"))))
    assert text == "a     b\n学習  1\nx     2"
    assert "&lt;b&gt;" in Table(("<b>",), ())._repr_html_()


def test_listing_does_not_wait_for_torch() -> None:
    import subprocess
    import sys

    code = "import sys, firstlight.run; firstlight.run.runs('/nonexistent'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_we_write(tmp_path: Path) -> None:
    run = Run("live")
    for step in range(200):
        run.log({"train/loss": math.nan if step == 5 else 1 / (step + 1)}, step=step * 1000)
    run.log({"学習/値": math.inf, "big": 1e300, "small": -1e300}, step=2**40)
    run.log({"negative step": 1.0}, step=-1)
    file = run.export_tensorboard(tmp_path / "tb" / "one")
    assert file.parent == tmp_path / "tb" / "one"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = event_accumulator.EventAccumulator(str(file.parent), size_guidance={"scalars": 0})
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"train/loss", "学習/値", "big", "small", "negative step"}
    scalars = found.Scalars("train/loss")
    assert [scalar.step for scalar in scalars] == [step * 1000 for step in range(200)]
    assert math.isnan(scalars[5].value)
    assert scalars[9].value == pytest.approx(0.1)
    assert scalars[9].wall_time == run.metric("train/loss")[9].time
    one = found.Scalars("学習/値")[0]
    assert (one.wall_time, one.step, one.value) == (run.metric("big")[0].time, 2**40, math.inf)
    assert found.Scalars("big")[0].value == math.inf
    assert found.Scalars("small")[0].value == -math.inf


def test_a_full_disk_gets_no_half_file_for_tensorboard(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    run = Run("live")
    run.log({"train/loss": 1.0}, step=0)
    with full_disk(20), pytest.raises(OSError, match="too large"):
        run.export_tensorboard(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_opened_run_goes_to_tensorboard_too(tmp_path: Path) -> None:
    run = make(tmp_path / "runs", "tb", 0.5)
    size = run.export_tensorboard(tmp_path / "a").stat().st_size
    assert Run.open(run.folder).export_tensorboard(tmp_path / "b").stat().st_size == size
    with pytest.raises(RecordNotFound):
        Run.open(tmp_path)


def test_a_run_that_rests_is_done_for_now_and_finished_where_its_plan_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.start("lenet", folder=tmp_path, plan={"total_epochs": 2, "steps_per_epoch": 2})
    run.log({"train/loss": 1.0}, step=1)
    run.rest()
    assert runs(tmp_path)[0].status == "resting"
    assert "done for now" in repr(runs(tmp_path))
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ja")
    assert "done for now" not in repr(runs(tmp_path))
    run.resume()
    run.log({"train/loss": 1.0}, step=3)
    run.rest()
    assert runs(tmp_path)[0].status == "finished"
    before = runs(tmp_path)[0].duration
    time.sleep(0.05)
    assert runs(tmp_path)[0].duration == before, "it does not grow"
    run.finish()


def test_runs_that_are_deleted_meanwhile_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "gone", 0.5)
    (folder,) = tmp_path.glob("*-gone")
    assert _summarise(folder) is not None
    shutil.rmtree(folder)
    assert _summarise(folder) is None


def test_a_record_that_goes_while_it_is_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "gone", 0.5)
    (folder,) = tmp_path.glob("*-gone")
    ask = Reader.query

    def slowly(reader: Reader, *question: object, **kinds: object) -> object:
        shutil.rmtree(folder, ignore_errors=True)  # somebody else is faster
        return ask(reader, *question, **kinds)

    monkeypatch.setattr(Reader, "query", slowly)
    assert len(runs(tmp_path)) == 0
