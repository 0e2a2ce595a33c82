"""Ctrl-C in real scripts, in processes of their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from firstlight.run import Run, TrainingStopped
from firstlight.view import stopping
from firstlight.view.state import Board
from firstlight.view.stopping import Interrupts, quiet_traceback, stopped_sentence

SCRIPT = """\
import sys, time, torch
from torch import nn
from firstlight.view import watch
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
model = nn.Linear(20, 2); optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
def loop(steps):
    for step in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if step == 20:
            print("going", flush=True)
        time.sleep(0.005)
"""


def script(tmp_path: Path, body: str, pause_s: float = 0.3, again_s: Sequence[float] = ()) -> tuple[int, str, str]:
    """Run the script, press Ctrl-C after it said "going", and return exit code, output and messages.

    Args:
        tmp_path: Where to write it.
        body: What stands below `SCRIPT`.
        pause_s: From "going" to the press.
        again_s: Pauses after which it is pressed again.
    """
    path = tmp_path / "train.py"
    path.write_text(SCRIPT + body, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "going\n"
    time.sleep(pause_s)
    process.send_signal(signal.SIGINT)
    for pause in again_s:
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
    out, messages = process.communicate(timeout=30)
    return process.returncode, out, messages


@pytest.mark.skipif(os.name != "posix", reason="Windows delivers Ctrl-C to a whole console, the tests included")
class TestScripts:
    def test_one_press_ends_a_with_block_and_the_script_goes_on(self, tmp_path: Path) -> None:
        code, out, messages = script(
            tmp_path, "with watch(model, optimizer) as run:\n    loop(9000)\nprint(run.status, 'and on')"
        )
        assert (code, out) == (0, "stopped and on\n")
        assert "Traceback" not in messages
        assert "Stopped; the model keeps what it has learned · step" in messages

    @pytest.mark.parametrize("pause_s", [0.0, 0.002, 0.005, 0.01, 0.03])
    @pytest.mark.parametrize("with_block", [True, False])
    def test_a_press_that_comes_several_times_is_one(self, tmp_path: Path, pause_s: float, with_block: bool) -> None:
        body = "with watch(model, optimizer) as run:\n    loop(9000)\nprint(run.status, 'and on')"
        if not with_block:
            body = "run = watch(model, optimizer)\nloop(9000)\n"
        code, out, messages = script(tmp_path, body, again_s=[pause_s] * 4)
        assert "Traceback" not in messages
        assert "KeyboardInterrupt" not in messages
        assert (code, out) == ((0, "stopped and on\n") if with_block else (1, ""))

    def test_a_plain_loop_ends_with_one_sentence_and_no_success(self, tmp_path: Path) -> None:
        code, _, messages = script(tmp_path, "run = watch(model, optimizer)\nloop(9000)\n")
        assert code == 1
        assert "Traceback" not in messages
        assert stopped_sentence() in messages

    def test_a_press_while_no_step_is_made_is_an_ordinary_interrupt(self, tmp_path: Path) -> None:
        code, _, messages = script(
            tmp_path, "with watch(model, optimizer) as run:\n    loop(30)\n    time.sleep(20)\n", pause_s=1.5
        )
        assert code in (-signal.SIGINT, 130)
        assert "KeyboardInterrupt" in messages

    def test_off_is_silent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")
        code, out, messages = script(
            tmp_path, "with watch(model, optimizer) as run:\n    loop(9000)\nprint(run.status)"
        )
        assert (code, out, messages) == (0, "stopped\n", "")


def board(seconds_ago: float) -> Board:
    run = Run()
    now = time.time()
    run.extend([("train/loss", step, 1.0, now - seconds_ago - (20 - step) / 100) for step in range(20)])
    made = Board(run)
    made.gather()
    return made


def test_the_handler_is_given_back_to_whom_it_belonged() -> None:
    before = signal.getsignal(signal.SIGINT)
    made = board(0)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    interrupts.install()
    assert signal.getsignal(signal.SIGINT) != before
    interrupts.restore()
    interrupts.restore()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_somebody_set_since_stays() -> None:
    before = signal.getsignal(signal.SIGINT)
    made = board(0)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupts.restore()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_first_press_asks_second_press_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = board(0)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    try:
        signal.raise_signal(signal.SIGINT)
        assert made.run.stop_requested
        signal.raise_signal(signal.SIGINT)  # within half a second it is the same press
        monkeypatch.setattr(stopping, "SAME_PRESS_S", 0.0)
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert not isinstance(caught.value, TrainingStopped)
    finally:
        interrupts.restore()


def test_a_signal_between_two_lines_of_the_handler_is_the_same_press() -> None:
    class Interrupted(Interrupts):
        again = True

        def _same_press_for(self) -> float:
            left = super()._same_press_for()
            if self.again:
                self.again = False
                signal.raise_signal(signal.SIGINT)
            return left

    made = board(0)
    interrupts = Interrupted(made.run, made)
    interrupts.install()
    try:
        signal.raise_signal(signal.SIGINT)
        assert made.run.stop_requested
        assert not interrupts.again
    finally:
        interrupts.restore()


def test_a_press_goes_to_the_handler_before_us_where_no_step_is_made() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    made = board(seconds_ago=60)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    try:
        signal.raise_signal(signal.SIGINT)
        assert pressed == [signal.SIGINT]
        assert not made.run.stop_requested
    finally:
        interrupts.restore()
        signal.signal(signal.SIGINT, before)


def test_an_overdue_stop_ends_what_keeps_the_loop() -> None:
    made = board(seconds_ago=60)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    try:
        interrupts.press_on()  # nobody asked to stop
        made.run.request_stop()

        def press() -> None:
            time.sleep(0.2)
            interrupts.press_on()

        thread = threading.Thread(target=press)
        thread.start()
        with pytest.raises(TrainingStopped):
            time.sleep(10)
        thread.join()
    finally:
        interrupts.restore()


def press_on_and_wait(interrupts: Interrupts) -> None:
    interrupts.press_on()
    time.sleep(0.2)  # the signal comes a moment later


def test_what_runs_after_the_loop_has_stopped_is_left_alone() -> None:
    made = board(seconds_ago=60)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    try:
        made.run.request_stop()
        with pytest.raises(TrainingStopped):
            made.run.obey_stop()
        press_on_and_wait(interrupts)
        made.run.request_stop()  # somebody presses again, while something else runs
        with pytest.raises(TrainingStopped):
            press_on_and_wait(interrupts)
        made.run.request_stop()
        interrupts._overdue = True  # a signal is on its way as the loop stops
        with pytest.raises(TrainingStopped):
            made.run.obey_stop()
        signal.raise_signal(signal.SIGINT)
    finally:
        interrupts.restore()


def test_other_threads_take_no_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    made = board(0)
    interrupts = Interrupts(made.run, made)
    for call in (interrupts.install, interrupts.restore):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_errors_of_other_kinds_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[type] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, _error, _trace: shown.append(kind))
    quiet_traceback()
    hook = sys.excepthook
    quiet_traceback()
    assert sys.excepthook is hook, "installed once"
    hook(ValueError, ValueError(), None)
    hook(TrainingStopped, TrainingStopped(), None)
    assert shown == [ValueError]
    assert stopped_sentence() in capsys.readouterr().err


def test_the_handler_is_given_back_when_the_press_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    made = board(0)
    interrupts = Interrupts(made.run, made)
    interrupts.install()
    ours = signal.getsignal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    slept: list[object] = []

    def press_again(seconds: float) -> None:
        slept.append(signal.getsignal(signal.SIGINT))
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(stopping, "SAME_PRESS_S", 0.0)

    monkeypatch.setattr("firstlight.view.stopping.time.sleep", press_again)
    interrupts.restore()
    assert slept == [ours]
    assert signal.getsignal(signal.SIGINT) is before
