"""The live widget: keeps the state, sends it to `curves.js`, and hears its buttons and tabs.

Importing this module needs anywidget; `notebook.py` does without where there is none.
"""

import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets
from ipywidgets import Layout

from firstlight import compat
from firstlight.run import Run
from firstlight.view import frontend
from firstlight.view.tabs import Tabs

# A browser keeps every module that it was ever given, and gives each widget a copy of its own: a quarter of a megabyte
# for every run that was watched on a page. So a widget brings a few lines that look for the module among those loaded;
# what else is shared, curves.js sees to.
LOADER = """\
const loaded = (globalThis.firstlightViews ??= new Map());
export default {
  async initialize({ model }) {
    const code = model.get("code");
    if (!loaded.has(code)) {
      const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      loaded.set(code, import(url).finally(() => URL.revokeObjectURL(url)));
    }
    return (await loaded.get(code)).default.initialize({ model });
  },
};
"""

_shared_layout: Layout | None = None


class Curves(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """The live view of one run on every page that shows it.

    Messages from the page arrive in a kernel thread while a cell is busy, so they only set flags; the view's own thread
    reads them (`asks_all`) and sends.

    Attributes:
        heard: Set when a page spoke to us while the loop was running: messages reach us at all times.
        heard_at: When a page last did.
        pages: Names of the pages that showed this widget; more than one when a page was loaded again.
    """

    _esm = LOADER
    style = traitlets.Unicode(frontend.style()).tag(sync=True)
    code = traitlets.Unicode(frontend.module()).tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    kernel_id = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        state: dict[str, Any],
        *,
        run: Run,
        tabs: Tabs,
        spoken: Callable[["Curves"], None],
    ) -> None:
        words = frontend.words()
        super().__init__(key=uuid.uuid4().hex, kernel_id=kernel_id(), words=words, state=state, layout=_layout())
        self.heard = threading.Event()
        self.heard_at = 0.0
        self.asks_all = threading.Event()
        self.pages: set[str] = set()
        self._run, self._tabs, self._spoken = run, tabs, spoken
        self.on_msg(self._hear)
        compat.hear_while_busy(self.comm)

    def _hear(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        kind = message.get("t")
        self.heard_at = time.monotonic()
        if kind == "still":
            return
        if kind == "stop":
            self._run.request_stop()
        elif kind == "pause":
            self._run.request_pause()
        elif kind == "go_on":
            self._run.go_on()
        elif kind in ("hello", "all"):
            if kind == "hello":
                self.pages.add(str(message.get("page")))
            self.asks_all.set()
            self.heard.set()
        else:
            self._tabs.hear(message)
        self._spoken(self)

    def say_here(self) -> None:
        """Answer the page: Stop works by message."""
        self.send({"t": "here"})

    def tell(self, state: dict[str, Any], curves: dict[str, Any], *, everything: bool) -> None:
        """Send news to every page that shows this widget."""
        self.send({"t": "news", "all": everything, "state": state, "curves": curves})


def _layout() -> Layout:
    """One for all: otherwise every widget brings its own, which nothing ever closes."""
    global _shared_layout
    if _shared_layout is None or _shared_layout.comm is None:  # the learner has closed all widgets
        _shared_layout = Layout()
    return _shared_layout


def kernel_id() -> str:
    """The id by which the Jupyter server knows this kernel, or an empty text.

    Example:
        >>> kernel_id()
        ''
    """
    try:
        from ipykernel.connect import get_connection_file

        name = os.fspath(get_connection_file())
    except (ImportError, RuntimeError):  # no ipykernel, or not inside a kernel
        return ""
    found = re.search(r"kernel-(?:v\d+-)?([0-9a-f-]{36})\.json$", name)
    return found.group(1) if found else ""
