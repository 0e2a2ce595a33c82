"""`firstlight watch`: a run of another process, in this terminal or in the browser."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.cli.runs import places_of
from firstlight.lab.folder import default_folder
from firstlight.locale import _
from firstlight.view.following import Following, find_run, follow, show_once

if TYPE_CHECKING:
    from firstlight.view.page import Page


def watch_run(word: str | None, folder: Path | None, *, once: bool) -> int:
    """Show a run in this terminal until it ends, or until the person leaves.

    Args:
        word: Name, number or folder of the run, None for the newest.
        folder: Where to look for it; else in all folders that are known.
        once: Show the state of this moment and leave.
    """
    following = Following(find_run(word, places_of(folder)))
    if once or following.run.ended is not None:
        _say(_("Run: {folder}", folder=following.run.folder))
        show_once(following)
        return 0
    with _Leave() as leave:
        _say(_("Following {folder}. Ctrl-C leaves; the training goes on.", folder=following.run.folder))
        follow(following, left=leave.asked)
        if leave.asked():
            _say(_("You have left; the training goes on."))
    return leave.status


def show_page(word: str | None, folder: Path | None, *, port: int | None, browser: bool) -> int:
    """Show a run on a page in the browser until Ctrl-C.

    Args:
        word: Name, number or folder of the run, None for the newest.
        folder: Where to look for it; else in all folders that are known.
        port: The port to serve the page at; None for any free one.
        browser: Whether to open it.
    """
    from firstlight.view.page import Page

    opened = None
    with _Leave() as leave, Page(find_run(word, places_of(folder)), port=port) as page:
        try:
            opened = _announce(page, browser=browser)
            page.wait(left=leave.asked)
            _say(_("The page is closed. The training is not touched by that."))
        finally:
            if opened is not None:
                opened.unlink(missing_ok=True)
    return leave.status


def _announce(page: "Page", *, browser: bool) -> Path | None:
    """Say where the page is and open it, as the lab does; returns the file that the browser was given."""
    from firstlight.lab import remote
    from firstlight.lab.server import OPEN_FILE_S, show_in_browser

    run, path = page.following.run, None
    _say(_("The page shows {folder}.", folder=run.folder))
    if os.environ.get("SSH_CONNECTION"):
        _say(_("You are here over ssh. Type this in a terminal on your own machine and leave it open:"))
        _say(f"    {remote.ssh_line(page.port)}")
        _say(_("Then open this link in the browser there:"))
    else:
        home = default_folder()  # a browser in a sandbox can read there
        if browser and (path := show_in_browser(page.url, home if home.is_dir() else Path(run.folder or "."))):
            timer = threading.Timer(OPEN_FILE_S, path.unlink, [True])
            timer.daemon = True
            timer.start()
            _say(_("Your browser opens it. If it does not, this is the link:"))
        else:
            _say(_("Open this link in your browser:"))
    print(f"\n    {page.url}\n", flush=True)  # the one place where the token stands
    _say(_("Ctrl-C here closes the page and leaves the training alone."))
    return path


class _Leave:
    """Ctrl-C, and being asked to end as by `kill`, heard between two looks: the terminal gets its cursor back.

    An exception at any moment, as Python would have it, could come in the middle of drawing.
    """

    def __init__(self) -> None:
        self._heard = 0
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        """Whether the person wants to leave."""
        return self._heard != 0

    @property
    def status(self) -> int:
        """The exit status: to leave by Ctrl-C is no failure."""
        return 0 if self._heard in (0, signal.SIGINT) else 128 + self._heard

    def __enter__(self) -> "_Leave":
        if threading.current_thread() is threading.main_thread():  # the only one in which Python sets signals
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)  # Windows has no SIGHUP
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _frame: object) -> None:
        if self._heard:  # once more: at once, whatever is going on
            sys.exit(128 + number)
        self._heard = number


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
