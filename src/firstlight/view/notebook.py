"""The live view in a notebook: one place on the page that moves while the loop runs and is a picture when it rests.

What stands in the place is always plain HTML with a picture, so every viewer and every saved notebook shows it.
Where the page has a widget manager, `curves.js` covers the picture with the moving view. How often the picture
itself is drawn anew depends on whether a page answered: seldom if so (for a notebook that is saved or loaded again
meanwhile), and about once a second if not (nbclient, plain viewers, no anywidget): the curves move there too.
"""

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firstlight.run import Run
from firstlight.view.state import Board
from firstlight.view.still import still
from firstlight.view.tabs import Tabs

if TYPE_CHECKING:
    from firstlight.view.curves import Curves

ANSWER_S = 2.5  # a page that can hear us has answered by then
LEFT_S = 10.0  # a page that draws says every three seconds that it is still there
ALONE_EVERY_S = 1.0  # how often the picture is drawn anew where it is all that moves
LEFT_EVERY_S = 3.0  # and where the page has left: one opened since cannot draw before the cell ends
COVERED_EVERY_S = 12.0  # and where the moving view covers it; the notebook is saved meanwhile
WORDS_EVERY_S = 0.5  # speed and time left change also when no point is new

_retired: list["Curves"] = []  # widgets whose run has ended; the page may still be drawing the newest


class Notebook:
    """Shows one run below the cell that began it."""

    def __init__(self, *, run: Run, wake: Callable[[], None]) -> None:
        self._run, self._wake = run, wake
        self._display_id = f"firstlight-{uuid.uuid4().hex}"
        self._widget: Curves | None = None
        self._board: Board | None = None
        self._tabs: Tabs | None = None
        self._sent: dict[str, tuple[int, int, int]] = {}
        self._is_live = False
        self._live_since = self._drawn_at = self._told_at = self._whole_at = 0.0
        self._status = ""
        self._told = -1  # how far the page has been told
        self._drawn: tuple[int, str] = (-1, "")

    def begin(self, board: Board) -> None:
        """Take a place below the running cell."""
        close_retired()
        self._board = board
        self._tabs = Tabs(board)
        self._widget = self._make_widget(board, self._tabs)
        self._publish(board, live=True, update=False)
        self._begin_live()

    def show(self, board: Board) -> None:
        """Bring the place up to date; from the view's thread."""
        now = time.monotonic()
        if not self._is_live:
            self._publish(board, live=True, update=True)
            self._begin_live()
        widget = self._widget
        if widget is not None:
            if widget.asks_all.is_set():
                widget.asks_all.clear()
                widget.say_here()
                self._tell(widget, board, now, everything=True)
            elif not widget.heard.is_set() and now - self._whole_at > 1.0:
                self._tell(widget, board, now, everything=True)  # what was sent before the page listened is lost
            elif board.cursor != self._told or board.status() != self._status or now - self._told_at > WORDS_EVERY_S:
                self._tell(widget, board, now, everything=False)
            self._tell_tabs(widget)
        shown = (board.cursor, board.status())
        if now - self._drawn_at >= self._rhythm(now) and shown != self._drawn:
            self._drawn_at, self._drawn = now, shown
            self._publish(board, live=True, update=True)

    def rest(self, board: Board) -> None:
        """Leave the finished picture, which a saved notebook keeps."""
        self._is_live = False
        if self._widget is not None:
            self._tell(self._widget, board, time.monotonic(), everything=True)
            self._tell_tabs(self._widget, wait=True)
        self._publish(board, live=False, update=True)
        if board.run.ended is not None and self._widget is not None:
            _retired.append(self._widget)
            self._widget = None

    def _rhythm(self, now: float) -> float:
        """How often to draw the picture anew."""
        widget = self._widget
        if widget is not None and widget.heard.is_set():
            return COVERED_EVERY_S if now - widget.heard_at < LEFT_S else LEFT_EVERY_S
        return COVERED_EVERY_S if widget is not None and now - self._live_since < ANSWER_S else ALONE_EVERY_S

    def _make_widget(self, board: Board, tabs: Tabs) -> "Curves | None":
        try:
            from firstlight.view.curves import Curves
        except ImportError:  # no anywidget here: the picture alone does it
            return None
        return Curves(board.state(), run=self._run, tabs=tabs, spoken=self._page_spoke)

    def _page_spoke(self, widget: "Curves") -> None:
        """A page wants to know everything; from any thread."""
        if self._is_live:
            self._wake()  # the view's thread answers
            return
        if self._board is not None and widget.asks_all.is_set():
            widget.asks_all.clear()
            widget.say_here()
            widget.tell(self._board.state(), self._board.curves(), everything=True)
        self._tell_tabs(widget, wait=True)

    def _begin_live(self) -> None:
        self._is_live = True
        self._live_since = time.monotonic()
        self._drawn_at = self._live_since - COVERED_EVERY_S + ANSWER_S  # the first one soon
        self._whole_at = self._told_at = 0.0
        self._sent.clear()
        if self._widget is not None:
            self._widget.heard.clear()

    def _tell(self, widget: "Curves", board: Board, now: float, *, everything: bool) -> None:
        if everything:
            self._sent.clear()
            self._whole_at = now
        self._told_at, self._told = now, board.cursor
        state = board.state()
        self._status = state["status"]
        widget.tell(state, board.curves(self._sent), everything=everything)

    def _tell_tabs(self, widget: "Curves", *, wait: bool = False) -> None:
        """Send what is new in the tabs that pages have open: nothing is read for those that are not."""
        if self._tabs is not None:
            for message in self._tabs.news(wait=wait):
                widget.send(message)

    def _publish(self, board: Board, *, live: bool, update: bool) -> None:
        from IPython.display import publish_display_data

        key = self._widget.key if live and self._widget is not None else ""
        tabs = None if live else self._tabs  # what covers it, or is soon drawn anew, needs no more than the curves
        data: dict[str, Any] = dict(still(board, live=live, key=key, tabs=tabs).bundle())
        publish_display_data(data=data, transient={"display_id": self._display_id}, update=update)


def close_retired() -> None:
    """Close the widgets of ended runs, on the pages too. A page that was loaded again keeps the newest on show."""
    kept = [widget for widget in _retired if len(widget.pages) > 1][-1:]
    for widget in _retired:
        if widget not in kept:
            widget.close()
    _retired[:] = kept
