"""The live view in a notebook: one place on the page that is a widget while the loop runs and a picture when it rests.

Three ways to be live, chosen while running:

- A page answered our widget: news by message, about fourteen times a second, and Stop by message.
- No page answered, and there is no anywidget or no Jupyter server (nbclient, plain viewers): the place is drawn anew,
  as HTML, about once a second.
- No page answered but a server started this kernel (a JupyterLab that sends no messages to busy kernels): widget and
  HTML in one bundle, so that either kind of page shows one of them; Stop goes through the server.
"""

import os
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firstlight.view.state import Board
from firstlight.view.still import still

if TYPE_CHECKING:
    from firstlight.view.curves import Curves

WIDGET = "application/vnd.jupyter.widget-view+json"
ANSWER_S = 3.0  # a page that can hear us has answered by then
HTML_EVERY_S = 1.0
BOTH_EVERY_S = 3.0
WORDS_EVERY_S = 0.5  # speed and time left change also when no point is new

_retired: list["Curves"] = []  # widgets whose run has ended; the page may still be drawing the newest


class Notebook:
    """Shows one run below the cell that began it."""

    def __init__(self, *, stop: Callable[[], None], wake: Callable[[], None]) -> None:
        self._stop, self._wake = stop, wake
        self._display_id = f"firstlight-{uuid.uuid4().hex}"
        self._widget: Curves | None = None
        self._sent: dict[str, tuple[int, int, int]] = {}
        self._is_live = False
        self._live_since = self._drawn_at = self._told_at = self._whole_at = 0.0
        self._status = ""
        self._told = -1  # how far the page has been told
        self._drawn: tuple[int, str] = (-1, "")

    def begin(self, board: Board) -> None:
        """Show the widget, or the waiting picture, below the running cell."""
        _close_retired()
        self._widget = self._make_widget(board)
        self._publish(self._live_bundle(board), update=False)
        self._begin_live()

    def show(self, board: Board) -> None:
        """Bring the place up to date; from the view's thread."""
        now = time.monotonic()
        if not self._is_live:
            self._publish(self._live_bundle(board), update=True)
            self._begin_live()
        widget = self._widget
        if widget is None:
            self._redraw(board, now, HTML_EVERY_S)
            return
        if widget.asks_all.is_set():
            widget.asks_all.clear()
            widget.say_here()
            self._tell(widget, board, now, everything=True)
        elif not widget.heard.is_set() and now - self._whole_at > 1.0:
            self._tell(widget, board, now, everything=True)  # what was sent before the page listened is lost
        elif board.cursor != self._told or board.status() != self._status or now - self._told_at > WORDS_EVERY_S:
            self._tell(widget, board, now, everything=False)
        if not widget.heard.is_set() and now - self._live_since > ANSWER_S:
            self._redraw(board, now, BOTH_EVERY_S if served() else HTML_EVERY_S)

    def rest(self, board: Board) -> None:
        """Replace the live view by a picture that a saved notebook keeps."""
        self._is_live = False
        if self._widget is not None:
            self._widget.asks_all.clear()
            self._tell(self._widget, board, time.monotonic(), everything=True)
        self._publish(still(board).bundle(), update=True)
        if board.run.status != "running" and self._widget is not None:
            # A page that was loaded again does not know our place by its id: there the widget itself stays.
            if len(self._widget.pages) < 2:
                _retired.append(self._widget)
            self._widget = None

    def _make_widget(self, board: Board) -> "Curves | None":
        try:
            from firstlight.view.curves import Curves
        except ImportError:  # no anywidget here: plain HTML does it
            return None
        return Curves(board.state(), stop=self._stop, wake=self._wake)

    def _begin_live(self) -> None:
        self._is_live = True
        self._live_since = self._drawn_at = time.monotonic()
        self._whole_at = self._told_at = 0.0
        self._sent.clear()
        if self._widget is not None:
            self._widget.heard.clear()

    def _live_bundle(self, board: Board) -> dict[str, Any]:
        if self._widget is None:
            return still(board, live=True).bundle()
        return {**self._view(), "text/plain": board.state()["said"]}

    def _view(self) -> dict[str, Any]:
        assert self._widget is not None
        return {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}}

    def _redraw(self, board: Board, now: float, every: float) -> None:
        shown = (board.cursor, board.status())
        if now - self._drawn_at < every or shown == self._drawn:
            return
        self._drawn_at, self._drawn = now, shown
        bundle: dict[str, Any] = dict(still(board, live=True).bundle())
        if self._widget is not None and served():
            bundle = {**self._view(), **bundle}
        self._publish(bundle, update=True)

    def _tell(self, widget: "Curves", board: Board, now: float, *, everything: bool) -> None:
        if everything:
            self._sent.clear()
            self._whole_at = now
        self._told_at, self._told = now, board.cursor
        state = board.state()
        self._status = state["status"]
        widget.tell(state, board.curves(self._sent), everything=everything)

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        from IPython.display import publish_display_data

        publish_display_data(data=data, transient={"display_id": self._display_id}, update=update)


def served() -> bool:
    """Whether a Jupyter server started this kernel, so that a page with widgets is likely and can interrupt it."""
    return "JPY_SESSION_NAME" in os.environ


def _close_retired() -> None:
    while _retired:
        _retired.pop().close()
