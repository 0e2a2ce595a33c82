"""The talk between the pages that show a run and its record, about everything beside the curves.

A page says which tab it has open, and asks for the graph of a step; nothing is read, reckoned or sent for tabs that are
not open. Any transport will do: `hear` takes a page's message, `news` gives those for all pages.

    up    {t: "open", page, tab}                       which tab is open on this page; an empty text for none
          {t: "graph", page, step, within, level, ask} what to draw; a step of null is the newest look
    down  {t: "tab", tab, data}                        what the tab shows, whole
          {t: "graph", page, ask, step, html, ...}     the answer (`Graphs.answer`)
"""

import threading
import time
from typing import TYPE_CHECKING, Any

from firstlight.view import panels
from firstlight.view.graphs import Asked, Graphs
from firstlight.view.looks import Looks

if TYPE_CHECKING:
    from firstlight.view.state import Board

READ_EVERY_S = 0.5  # facts come to disk twice a second: more often would find nothing more
MOST_PAGES = 16  # that are listened to; of more, the ones that have said nothing for longest are forgotten


class Tabs:
    """What the tabs of one run show, for any number of pages.

    Args:
        board: The run's state, which has the metrics already.

    Example:
        >>> from firstlight.run import Run
        >>> from firstlight.view.state import Board
        >>> run = Run()
        >>> run.add_fact(0, "memory", {"peak": 2048, "parameters": 1024})
        >>> tabs = Tabs(Board(run))
        >>> tabs.news()
        []
        >>> tabs.hear({"t": "open", "page": "one", "tab": "memory"})
        True
        >>> [message["data"]["peak_text"] for message in tabs.news()]
        ['2.0 kB']
    """

    def __init__(self, board: "Board") -> None:
        self.board = board
        self.looks = Looks(board.run)
        self.graphs = Graphs(self.looks)
        self._lock = threading.Lock()  # of what pages said
        self._work = threading.RLock()  # of what is read and drawn
        self._open: dict[str, str] = {}  # page -> tab, the newest last
        self._asked: dict[str, tuple[Asked, Any]] = {}  # page -> what it asks for, and the page's number of that
        self._sent: dict[str, Any] = {}  # tab -> version that the pages have
        self._read_at = -READ_EVERY_S

    def hear(self, message: dict[str, Any]) -> bool:
        """Take in what a page says, from any thread; whether it was about the tabs."""
        kind, page = message.get("t"), str(message.get("page"))
        if kind not in ("open", "graph"):
            return False
        with self._lock:
            if kind == "open":
                self._open.pop(page, None)
                if tab := str(message.get("tab") or ""):
                    self._open[page] = tab
                    self._sent.pop(tab, None)
                else:
                    self._asked.pop(page, None)
                while len(self._open) > MOST_PAGES:
                    self._open.pop(next(iter(self._open)))
            else:
                self._asked[page] = (Asked.read(message), message.get("ask"))
        return True

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for an answer that `news` has now."""
        with self._lock:
            return bool(self._asked) or any(tab not in self._sent for tab in self._open.values() if tab != "curves")

    def forget(self) -> None:
        """No page is there any more."""
        with self._lock:
            self._open.clear()
            self._asked.clear()

    def news(self, *, wait: bool = False) -> list[dict[str, Any]]:
        """What the pages do not have yet of the tabs that they have open. From one thread at a time.

        Args:
            wait: For the disk, so that the newest look is there too: where the loop rests.
        """
        with self._lock:
            tabs = {tab for tab in self._open.values() if tab != "curves"}
            asked, self._asked = self._asked, {}
            if not tabs and not asked:
                return []
        with self._work:
            now = time.monotonic()
            fresh = bool(tabs - self._sent.keys()) or wait
            if fresh or asked or now - self._read_at >= READ_EVERY_S:
                fresh = fresh or now - self._read_at >= READ_EVERY_S
                self._read_at = now
                self.looks.gather(wait=wait)
            found = []
            for tab in sorted(tabs) if fresh else ():
                version = self._version(tab)
                if self._sent.get(tab) != version:
                    self._sent[tab] = version
                    found.append({"t": "tab", "tab": tab, "data": self.panel(tab)})
            for page, (wanted, number) in asked.items():
                answer = self.graphs.answer(wanted)
                if answer is not None:
                    found.append({"t": "graph", "page": page, "ask": number, **answer})
            return found

    def panel(self, tab: str) -> dict[str, Any]:
        """Everything that a tab shows, by what was gathered."""
        if tab == "graph":
            looks = self.looks.graphs
            empty = "" if looks else panels.nothing_yet()
            return {"empty": empty, "looks": [[look.step, look.operations, look.changes] for look in looks]}
        if tab == "time":
            return panels.times(self.board)
        makers = {"gradients": panels.gradients, "activations": panels.activations, "memory": panels.memory}
        return makers[tab](self.looks) if tab in makers else {}

    def _version(self, tab: str) -> Any:
        if tab == "time":
            return tuple(len(self.board.series[name].x) and self.board.series[name].last
                         for name in self.board.series if name.startswith("time/"))  # fmt: skip
        return self.looks.versions.get(tab, 0)
