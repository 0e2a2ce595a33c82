import os
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.cells import cell_len

from firstlight.run import Run
from firstlight.view import terminal
from firstlight.view.state import Board
from firstlight.view.terminal import Lines, Terminal, _lines, sparkline
from firstlight.view.watching import watch

SCRIPT = """\
import time
from firstlight.run import Run
from firstlight.view.live import show_live
run = Run("net")
run.set_plan(total_steps=60)
show_live(run, waits=False)
for step in range(60):
    run.log({"train/loss": 2 / (step + 1), "train/accuracy": step / 60, "lr": 0.1}, step=step)
    time.sleep(0.02)
    if step == 30:
        print("printed in between", flush=True)
run.finish()
"""


def test_sparklines() -> None:
    assert sparkline([]) == ""
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert len(sparkline([float(i) for i in range(1000)])) == terminal.WIDTH


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a Unix thing")
def test_a_terminal_shows_two_lines_that_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    path = tmp_path / "train.py"
    path.write_text(SCRIPT, encoding="utf-8")
    seen = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        seen.extend(data)
        return data

    for name, value in {"TERM": "xterm", "COLUMNS": "100", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    status = pty.spawn([sys.executable, str(path)], read)
    text = seen.decode("utf-8", "replace")
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert text.count("Training") >= 2, "it moved"
    assert "printed in between" in text
    assert "▁" in text
    assert "Finished" in text.rpartition("Training")[2]
    assert "step 60 of 60" in text


def test_a_script_that_never_trains_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(Run())
    for screen in (Terminal(), Lines()):
        screen.begin(board)
        screen.show(board)
        screen.rest(board)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_keeps_the_last_state_and_the_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("net")
    run.set_plan(total_steps=4)
    run.log({"train/loss": 1.0, "train/accuracy": 0.5, "lr": 0.1}, step=0)
    run.log({"train/loss": float("nan")}, step=1)
    board = Board(run)
    board.gather()
    screen = Terminal()
    screen.show(board)
    screen.show(board)  # too soon to draw again
    screen.rest(board)
    said = capsys.readouterr().err
    assert "Loss (train) nan" in said
    assert "not been a finite number since step 1" in said


def test_a_log_file_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LINE_SELDOM_S", 0.0)
    run = Run("net")
    run.set_plan(total_epochs=2, steps_per_epoch=3)
    board = Board(run)
    lines = Lines()
    lines.begin(board)
    for step in range(6):
        run.log({"train/loss": 1.0 - step / 10}, step=step)
        board.gather()
        lines.show(board)
    run.finish()
    lines.rest(board)
    lines.rest(board)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" · ")[1] for line in said] == ["step 3 of 6", "step 6 of 6", "step 6 of 6"]
    assert said[-1].startswith("Finished")


def test_where_there_is_no_terminal_a_long_wait_brings_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LINE_EVERY_S", 0.05)
    run = Run("net")
    run.log({"train/loss": 1.0}, step=0)
    board = Board(run)
    board.gather()
    lines = Lines()
    lines.show(board)
    time.sleep(0.1)
    lines.show(board)
    assert capsys.readouterr().err == "Training · step 1 · Loss (train) 1.000\n"


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("ended", [False, True])
def test_nothing_is_cut_whatever_the_width(
    language: str, width: int, ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", language)
    run = Run("net")
    run.set_plan(total_epochs=12, steps_per_epoch=1563)
    now = time.time()
    for step in range(0, 9000, 50):
        loss = {"train/loss": 2.3 / (step + 1), "test/loss": 2.4, "train/accuracy": 0.8812, "test/accuracy": 0.8765}
        loss |= {"samples_per_s": 123456.0, "lr": 0.00123, "grad/norm": 0.1234}
        run.extend([(name, step, value, now + step / 10) for name, value in loss.items()])
    if ended:
        run.finish()
    board = Board(run)
    board.gather()
    state = board.state()
    shown = _lines(board, width).plain.splitlines()
    assert all(cell_len(line) <= width for line in shown), shown
    text = "\n".join(shown)
    for chart in state["charts"]:
        for curve in chart["curves"]:
            assert f"{chart['title']} ({curve['label']}) {curve['value']}" in text
    for number in state["numbers"]:
        assert f"{number['label']} {number['value']}" in text
    for part in (state["status_text"], *state["progress"]["text"].split(" · "), state["progress"]["left"]):
        assert part in text
    if width == 200:
        assert len(shown) == 2
    if width == 80:
        assert len(shown) <= 4


def test_a_report_stands_below_the_curves_that_it_is_about(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firstlight.run.trained import note_result

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = watch(model, optimizer, steps=3)
    for _ in range(3):
        torch.nn.functional.cross_entropy(model(torch.ones(4, 2)), torch.ones(4).long()).backward()
        optimizer.step()
    note_result(model, {"test/accuracy": 0.875})
    assert run.resting
    run.finish()
