"""A run and the screen that shows it, joined by one background thread. No step of the loop waits for it."""

import atexit
import os
import sys
import threading
import traceback
from typing import Any, Protocol

from firstlight import picture
from firstlight.locale import _, say
from firstlight.run import Run
from firstlight.view.state import Board
from firstlight.view.stopping import Interrupts, cells, interactive_shell, quiet_traceback

TICK_S = 0.1  # ten looks a second: smooth to the eye, little to pay, far below Jupyter's limit on messages


class Screen(Protocol):
    """A place that shows a run. `begin` and `rest` come from the loop's thread, `show` from the view's."""

    def begin(self, board: Board) -> None:
        """Take a place below this cell or in this terminal."""

    def show(self, board: Board) -> None:
        """Draw the newest state; called many times a second, also when there are no news."""

    def rest(self, board: Board) -> None:
        """The loop was left, for now or for good: leave what a reader later should find."""


class NoScreen:
    """Shows nothing: `FIRSTLIGHT_VIEW=off`."""

    def begin(self, board: Board) -> None:
        """Nothing to be seen."""

    def show(self, board: Board) -> None:
        """Nothing to be seen."""

    def rest(self, board: Board) -> None:
        """Nothing to be seen."""


class Live:
    """The live view of one run, from its start to its end.

    In a notebook it comes to rest with each cell and goes on, in the same place, when a later cell makes a step.
    """

    def __init__(self, run: Run, *, waits: bool) -> None:
        """Begin to show a run.

        Args:
            run: The run, not yet ended.
            waits: Whether a loop in a later cell may go on with it (a watched loop), or not (`fit`).
        """
        self.run = run
        self.board = Board(run)
        self.interrupts = Interrupts(run, self.board)
        self.screen: Screen = NoScreen()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._leave = threading.Event()
        self._waits = waits
        self.screen = choose_screen(self)
        self._unsubscribe = run.subscribe(self._event)
        cells.listen(self._cell_ended)
        if interactive_shell() is None:
            quiet_traceback()
        _watched[id(run)] = self
        self.screen.begin(self.board)
        self._go_live()

    def wake(self) -> None:
        """Let the view's thread look now. From any thread."""
        self._wake.set()

    def _event(self, event: str) -> None:
        if event in ("started", "resumed"):
            self._go_live()
        elif event in ("paused", "went on"):
            self.wake()
        elif event == "resting":
            self._come_to_rest()
        elif event == "ended":
            self._end()

    def _go_live(self) -> None:
        self.interrupts.install()
        self.board.error = ""
        if self._thread is None:
            self.board.forget_pace()
            self._leave.clear()
            self._thread = threading.Thread(target=self._look, name="firstlight-view", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        try:
            while not self._leave.is_set():
                self.board.gather()
                self.screen.show(self.board)
                self.interrupts.press_on()
                self._wake.wait(TICK_S)
                self._wake.clear()
                self._leave.wait(TICK_S / 4)  # whoever wakes us often does not make us busy
        except Exception:  # noqa: BLE001 - a view that breaks must not take the training with it; it says so once
            say(_("The live view ended by an error; the training goes on."), sys.stderr)
            traceback.print_exc()

    def _come_to_rest(self) -> None:
        thread, self._thread = self._thread, None
        self._leave.set()
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5.0)
        self.interrupts.restore()
        self.board.gather()
        self.screen.rest(self.board)

    def _end(self) -> None:
        self._unsubscribe()
        cells.forget(self._cell_ended)
        _watched.pop(id(self.run), None)
        self._come_to_rest()

    def _cell_ended(self, result: Any) -> None:
        error = getattr(result, "error_in_exec", None)
        on_purpose = isinstance(error, KeyboardInterrupt) and self.run.stop_requested
        if error is not None and self._thread is not None and not on_purpose:
            self.board.error = _("The cell ended with {error}.", error=type(error).__name__)
        if self.run.resting:
            if self.board.gather():  # noted since, such as the result of an evaluation
                self.screen.rest(self.board)
        elif self._waits:
            self.run.rest(error)
        elif on_purpose:
            self.run.finish("stopped")


_watched: dict[int, Live] = {}
_exit_seen = False


def _mind_the_exit() -> None:
    global _exit_seen
    if not _exit_seen:
        _exit_seen = True
        atexit.register(_leave_pages)


def _leave_pages() -> None:
    # A kernel that ends can send nothing more: what its pages show now stays. Runs are finished after this.
    if picture.in_notebook():
        for live in _watched.values():
            live.screen = NoScreen()


def show_live(run: Run, *, waits: bool) -> Live | None:
    """Show a run live, unless it is shown already."""
    if id(run) in _watched or run.ended is not None:
        return None
    _mind_the_exit()
    return Live(run, waits=waits)


def choose_screen(live: Live) -> Screen:
    """The best that this place can show; nothing where `FIRSTLIGHT_VIEW=off`."""
    if os.environ.get("FIRSTLIGHT_VIEW", "").lower() in ("off", "0", "none", "no"):
        return NoScreen()
    if picture.in_notebook():
        from firstlight.view.notebook import Notebook

        return Notebook(run=live.run, wake=live.wake)
    if sys.stderr is None:  # a Windows program without a console
        return NoScreen()
    if sys.stderr.isatty():
        from firstlight.view.terminal import Terminal

        return Terminal()
    from firstlight.view.terminal import Lines

    return Lines()
