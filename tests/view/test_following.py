import io
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.run import RecordDamaged, RecordNotFound, Run
from firstlight.view import following as module
from firstlight.view.following import (
    Following,
    NoRuns,
    RunUnknown,
    find_run,
    follow,
    runs_in,
    show_once,
)
from firstlight.view.state import Board
from tests.view.others import training


def until(following: Following, wanted: Callable[[], object], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.02)
        following.look()


def test_a_run_is_found_by_name_number_and_folder(tmp_path: Path) -> None:
    with pytest.raises(NoRuns, match=str(tmp_path)):
        find_run(None, [tmp_path])
    for name in ("first", "second", "second"):
        Run.start(name, folder=tmp_path / "runs").finish()
    places = [tmp_path / "runs"]
    newest, middle, oldest = (run.folder for run in runs_in(places))
    assert find_run(None, places) == newest
    assert find_run("second", places) == newest, "of several with one name the newest"
    assert find_run("first", places) == oldest
    assert [find_run(str(number), places) for number in range(3)] == [newest, middle, oldest]
    assert find_run(middle.name, places) == middle
    assert find_run(str(middle), []) == find_run(str(middle / "run.sqlite"), []) == middle
    with pytest.raises(RunUnknown, match="no run third") as error:
        find_run("third", places)
    assert "second, first" in str(error.value)
    with pytest.raises(RunUnknown):
        find_run("3", places)
    Run.start("1", folder=tmp_path / "runs").finish()
    assert find_run("1", places) == find_run("0", places), "a name goes before a number"
    with pytest.raises(RecordNotFound):
        Following(find_run(str(tmp_path / "nothing"), places))


def test_runs_of_several_folders_count_as_one_list(tmp_path: Path) -> None:
    for number in range(4):
        Run.start(f"run{number}", folder=tmp_path / str(number % 2)).finish()
    places = [tmp_path / "0", tmp_path / "1"]
    assert [find_run(str(number), places).name.rpartition("-")[2] for number in range(4)] == [
        "run3",
        "run2",
        "run1",
        "run0",
    ]


def test_a_run_of_another_process_grows_until_its_end() -> None:
    with training(steps=150) as (process, folder):
        following = Following(folder)
        following.look()
        board = following.board
        assert not following.is_over()
        first = board.step
        until(following, lambda: board.step > first)
        state = board.state()
        assert state["status"] == "running"
        assert state["progress"]["total"] == 150
        until(following, following.is_over)
        assert process.wait(10) == 0
    assert board.state()["status"] == "finished"
    whole = Board(Run.open(folder))
    whole.gather()
    assert board.step == 149, "nothing that was written last is missing"
    assert board.curves() == whole.curves()
    assert not board.state()["notice"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a Unix thing")
def test_a_killed_run_has_died() -> None:
    with training() as (process, folder):
        following = Following(folder)
        until(following, lambda: following.board.step > 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(following, following.is_over)
    state = following.board.state()
    assert state["status"] == "failed", "what views know how to draw"
    assert state["status_text"].startswith("Died")
    assert "power cut" in state["notice"]
    assert state["said"].startswith("Died")
    assert following.board.step > 0


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    run = Run.start("net", folder=tmp_path)
    run.log({"train/loss": 1.0}, step=0)
    run.finish("failed", "ZeroDivisionError: division by zero")
    following = Following(run.folder)
    following.look()
    assert following.is_over()
    assert following.board.state()["notice"] == "ZeroDivisionError: division by zero"


def test_a_loop_that_is_left_may_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "META_S", 0.0)
    run = Run.start("net", folder=tmp_path, plan={"total_steps": 3})
    run.log({"train/loss": 1.0}, step=0)
    run.rest()
    following = Following(run.folder)
    following.look()
    assert following.board.state()["status"] == "resting"
    assert not following.is_over()
    run.resume()
    run.log({"train/loss": 0.5}, step=1)
    until(following, lambda: following.board.step == 1)
    assert following.board.state()["status"] == "running"
    run.log({"train/loss": 0.4}, step=2)
    run.rest()
    until(following, following.is_over)
    assert following.board.state()["status_text"] == "Finished"
    run.finish()


def test_a_result_that_is_added_after_the_end_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "META_S", 0.0)
    with Run.start("net", folder=tmp_path) as run:
        run.log({"train/accuracy": 0.5}, step=0)
    following = Following(run.folder)
    following.look()
    assert following.is_over()
    run.add_result({"test/accuracy": 0.25})
    following.look()
    assert "Accuracy (test) 25.0%" in following.board.state()["said"]


def test_a_long_record_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 100)
    monkeypatch.setattr(module, "CATCH_UP_S", 0.0)
    with Run.start("net", folder=tmp_path) as run:
        for step in range(1000):
            run.log({"train/loss": 1 / (step + 1)}, step=step)
    following = Following(run.folder)
    following.look()
    assert following.board.step == 99
    assert not following.is_over(), "there is more on disk"
    steps = []
    while not following.is_over():
        following.look()
        steps.append(following.board.step)
    assert steps[:2] == [199, 299]
    assert steps[-1] == 999
    whole = Board(Run.open(run.folder))
    whole.gather()
    assert following.board.curves() == whole.curves()


def test_between_two_looks_nothing_is_read(tmp_path: Path) -> None:
    run = Run.start("net", folder=tmp_path, plan={"total_steps": 3})
    run.log({"train/loss": 1.0}, step=0)
    run.rest()
    following = Following(run.folder)
    following.look()
    run.finish()
    shutil.rmtree(run.folder)
    assert following.board.state()["progress"]["total"] == 3
    assert following.run.status == "resting"
    with pytest.raises(RecordNotFound):
        until(following, lambda: False)


def test_what_is_no_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound):
        Following(tmp_path)
    (tmp_path / "run.sqlite").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(RecordDamaged):
        Following(tmp_path)


def test_the_last_words_of_a_run_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "META_S", 0.0)
    run = Run.start("net", folder=tmp_path)
    run.log({"train/loss": 1.0}, step=0)
    for key, value in {"status": "finished", "ended": time.time()}.items():
        run._save(key, value)  # on disk before the last points are: a long record takes several turns
    assert run._store is not None
    assert run._store.flush()
    following = Following(run.folder)
    following.look()
    assert following.board.state()["status"] == "finished"
    assert not following.is_over(), "its writer has not said that all is written"
    run.log({"train/loss": 0.5}, step=1)
    run.finish()
    until(following, following.is_over)
    assert following.board.step == 1


def test_a_record_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    whole = Run.start("net", folder=tmp_path / "runs")
    whole.finish()
    made = tmp_path / "made"
    made.mkdir()
    (made / "run.sqlite").touch()
    threading.Timer(0.3, shutil.copy, (whole.folder / "run.sqlite", made)).start()
    assert Following(made).run.name == "net"


def test_a_run_without_a_step_is_shown_too(tmp_path: Path) -> None:
    run = Run.start("net", folder=tmp_path)
    following, stream = Following(run.folder), io.StringIO()
    show_once(following, stream)
    assert stream.getvalue() == "Waiting for the first step\n"
    run.finish()
    stream = io.StringIO()
    follow(Following(run.folder), stream)
    assert stream.getvalue() == "Finished\n"


def test_a_file_gets_the_first_and_the_last_line(tmp_path: Path) -> None:
    with training(steps=60) as (_process, folder):
        stream = io.StringIO()
        follow(Following(folder), stream)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("Training · step ")
    assert lines[-1].startswith("Finished · step 60 of 60 · Loss (train) ")
    assert len(lines) == 2


def test_the_folder_is_taken_away_while_it_is_watched(tmp_path: Path) -> None:
    run = Run.start("net", folder=tmp_path)
    run.log({"train/loss": 1.0}, step=0)
    run.rest()
    following = Following(run.folder)
    following.look()
    moved = tmp_path / "elsewhere"
    run.finish()
    run.folder.rename(moved)
    with pytest.raises(RecordNotFound):
        follow(following, io.StringIO())


def test_following_needs_neither_torch_nor_a_widget_library() -> None:
    code = (
        "import sys, firstlight.view.following, firstlight.view.page\n"
        "sys.exit(str({'torch', 'anywidget', 'IPython', 'ipykernel', 'jupyter_server', 'tornado'} & set(sys.modules)"
        " or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.strip() == ""
