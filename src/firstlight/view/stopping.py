"""Stop between two steps: Ctrl-C, the notebook's ■ and the Stop button all end a loop in the same clean way."""

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from firstlight.locale import _, say
from firstlight.run import Run, TrainingStopped
from firstlight.view.state import Board

SAME_PRESS_S = (
    0.5  # presses closer together are one: a hand that trembles, or a terminal and a launcher that both send it
)
PATIENCE_S = 1.0  # a loop that made no step for this long, and for five of its steps, is not stepping now

Handler = Callable[[int, FrameType | None], Any]


class Interrupts:
    """What Ctrl-C (SIGINT) does while a run's loop is stepping.

    The first one asks the run to stop after this step. A second one, or one while no step is made, is the ordinary
    `KeyboardInterrupt`. What comes within `SAME_PRESS_S` of the first belongs to it.
    """

    def __init__(self, run: Run, board: Board) -> None:
        self._run, self._board = run, board
        self._before: Any = None
        self._installed = False
        self._pressed: float | None = None  # when, by the monotonic clock
        self._overdue = False
        self._answering = False

    def install(self) -> None:
        """Take over SIGINT. Does nothing outside the main thread, where Python allows no handler."""
        if threading.current_thread() is not threading.main_thread() or self._is_ours():
            return
        self._before = signal.signal(signal.SIGINT, self._handle)
        self._installed = True
        self._pressed, self._overdue = None, False

    def restore(self) -> None:
        """Give SIGINT back, unless somebody else has taken it since. A press that is not over yet is waited for."""
        if not self._installed or threading.current_thread() is not threading.main_thread():
            return
        if self._is_ours():
            while (left := self._same_press_for()) > 0:
                time.sleep(left)  # the one before us would answer the rest of this press with a traceback
            signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)
        self._installed = False

    def stepping(self) -> bool:
        """Whether the loop made a step a moment ago, or waits to make the next one: a pause is no other work."""
        if self._run.paused:
            return True
        pace = self._board.seconds_per_step() or 0.0
        return time.time() - self._board.last_point < max(PATIENCE_S, 5 * pace)

    def press_on(self) -> None:
        """End what keeps the loop from its next step, once a stop is overdue. From the view's thread.

        Somebody pressed Stop while the cell does something else, such as a long evaluation between two epochs. Not
        where the loop has ended already: what is done now, such as drawing the cell's own plot, is to be done.
        """
        asked = self._run.stop_requested and not self._run.stop_obeyed
        if self._installed and asked and not self.stepping() and not self._overdue:
            self._overdue = True
            if hasattr(signal, "pthread_kill"):  # a real signal wakes the main thread from a sleep, too
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            else:
                _thread.interrupt_main()

    def _same_press_for(self) -> float:
        """Seconds for which another signal is still the first press."""
        return 0.0 if self._pressed is None else self._pressed + SAME_PRESS_S - time.monotonic()

    def _is_ours(self) -> bool:
        return bool(self._installed and signal.getsignal(signal.SIGINT) == self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._answering:
            return  # a signal between two lines of the answer to another: the same press
        self._answering = True
        try:
            answered = self._answer()
        finally:
            self._answering = False
        if answered:
            return
        if callable(self._before) and self._before is not signal.default_int_handler:
            self._before(number, frame)
        else:
            raise KeyboardInterrupt

    def _answer(self) -> bool:
        """Do what a press asks for, if it asks a stepping loop to stop or belongs to a press that did."""
        if self._overdue and self._run.stop_requested:
            self._overdue = False
            if self._run.stop_obeyed:
                return True  # the loop was quicker
            raise TrainingStopped
        if self._same_press_for() > 0:
            return True
        if self._pressed is not None or self._run.stop_requested or not self.stepping():
            return False
        self._pressed = time.monotonic()
        self._run.request_stop()
        return True


class Cells:
    """Tells views when a notebook cell ends, and lets a cell that was stopped on purpose end without an error.

    The one instance is `cells`.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[Any], None]] = []
        self._shell: Any = None

    def listen(self, callback: Callable[[Any], None]) -> None:
        """Call `callback` with each cell's result (IPython's `ExecutionResult`)."""
        self.attach()
        self._listeners.append(callback)

    def forget(self, callback: Callable[[Any], None]) -> None:
        """Undo `listen`."""
        if callback in self._listeners:
            self._listeners.remove(callback)

    def attach(self) -> None:
        """Be told by IPython, where this is IPython. Calling it again changes nothing."""
        shell = interactive_shell()
        if shell is None:
            return
        if shell is not self._shell:
            shell.events.register("post_run_cell", self._after_cell)
            self._shell = shell
        if TrainingStopped not in shell.custom_exceptions:
            show_others = shell.CustomTB if shell.custom_exceptions else None

            def show(_shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> Any:
                if isinstance(error, TrainingStopped) or show_others is None:
                    return None  # one sentence comes at the end of the cell, instead of a traceback
                return show_others(kind, error, trace, tb_offset)

            shell.set_custom_exc((TrainingStopped, *shell.custom_exceptions), show)

    def _after_cell(self, result: Any) -> None:
        error = getattr(result, "error_in_exec", None)
        for callback in list(self._listeners):
            callback(result)
        if isinstance(error, TrainingStopped):
            result.error_in_exec = None  # the cell did what was asked: "Run All" goes on
            say(stopped_sentence())
            say(_("To go on, run the loop again; the run continues. A cell that calls watch() begins a new one."))


cells = Cells()


def interactive_shell() -> Any:
    """IPython's shell where this code runs in one (a notebook or a terminal), else None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def stopped_sentence() -> str:
    """What a learner reads where a loop was stopped on purpose."""
    return _("Training stopped between two steps; the model keeps what it has learned.")


def quiet_traceback() -> None:
    """In a script, end a stopped training with one sentence instead of a traceback. The exit code is not zero."""
    before = sys.excepthook
    if getattr(before, "_shows_stops", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, TrainingStopped):
            say(stopped_sentence(), sys.stderr)
        else:
            before(kind, error, trace)

    hook._shows_stops = True  # type: ignore[attr-defined]  # how we know our own hook again
    sys.excepthook = hook
