"""The live view of a run of another process, as a page in the browser: for this machine, and for who has the link.

The page is drawn by the same files as the widget of a notebook (`frontend.py`); `page.js` stands in for the notebook.
It asks for news and brings what its reader wants, `talk`; nothing is read or computed while no page asks.
"""

import hmac
import json
import os
import secrets
import socketserver
import sys
import threading
import time
import uuid
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _, language
from firstlight.view import frontend
from firstlight.view.following import Following
from firstlight.view.tabs import Tabs

ADDRESS = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")  # a page of somebody else's that points its own name at this machine says another
LOOK_S = 0.1  # however many pages ask
WORDS_EVERY_S = 0.5  # speed and time left change also when no point is new
AGAIN_MS = {"running": 200, "stopping": 200, "waiting": 400, "pausing": 200, "paused": 500, "resting": 500}  # else:
AGAIN_LATER_MS = 2000  # an evaluation may still add its result to a run that has ended
MOST_BYTES = 65_536  # of what a page says at once
MOST_SAID = 100  # messages at once
MOST_PAGES = 64  # those that asked last are remembered; others are told everything again
IDLE_S = 60.0  # a connection without a word

_HERE = Path(__file__).parent
_SAFETY = {
    # Styles may stand inside: the drawing of a graph brings its own, as a saved notebook needs it. Scripts may not, and
    # nothing at all can be loaded from or sent to another place.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PortTaken(FirstlightError, OSError):
    """The port that was asked for is in use."""

    text = Text(
        what="Port {port} is not free: {reason}",
        why="A port serves one program at a time, and you asked for this one.",
        do="Choose another port, or leave --port out and a free one is found.",
    )


class Page:
    """A run on a page of its own, until `close`.

    Args:
        folder: The run's folder.
        port: The port to serve it at; None for any free one.

    Attributes:
        url: The link, with the token that lets in.
        following: The run and its board.

    Raises:
        PortTaken: When the port is in use.
        RecordNotFound: When the folder holds no record.
        RecordTooNew: When a later firstlight wrote it.
        RecordDamaged: When the file is not a whole record.

    Example:
        >>> import tempfile
        >>> from firstlight.run import Run
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with Run.start("first", folder=parent) as run:
        ...         run.log({"train/loss": 0.5}, step=0)
        ...     with Page(run.folder) as page:
        ...         page.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.following = Following(folder)
        self._talks = _Talks(self.following)
        token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((ADDRESS, port or 0), _handler(token, self._files(), self._talks.talk))
        except OSError as error:
            raise PortTaken(port=port, reason=error.strerror or error) from error
        self.port = int(self._server.server_address[1])
        self.url = f"http://{ADDRESS}:{self.port}/{token}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="firstlight-page", daemon=True
        )
        self._thread.start()

    def wait(self, *, left: Callable[[], bool] = lambda: False) -> None:
        """Until `close`, or until `left`, which is asked a few times a second, says so."""
        while self._thread.is_alive() and not left():
            self._thread.join(0.2)

    def close(self) -> None:
        """Serve no more. Open pages say so and stay as they are."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _files(self) -> dict[str, tuple[str, Callable[[], str]]]:
        """What is served: nothing else can be asked for, whatever the path."""

        def read(name: str) -> Callable[[], str]:
            return lambda: (_HERE / name).read_text(encoding="utf-8")

        return {
            "": ("text/html", self._html),
            "page.js": ("text/javascript", read("page.js")),
            "page.css": ("text/css", read("page.css")),
            "view.js": ("text/javascript", frontend.module),
            "view.css": ("text/css", frontend.style),
        }

    def _html(self) -> str:
        run = self.following.run
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
        words = {
            "lang": language(),
            "title": run.name,
            "where": _("Begun {when}, recorded in {folder}", when=when, folder=run.folder),
            "footer": _("This page only looks: to stop or pause the training, go to where it was started."),
            "noscript": _("This page needs JavaScript. In a terminal: firstlight watch"),
            "away": _(
                "firstlight watch does not answer any more, so this page stands still. The training is not touched by "
                "that. When it answers again, the page goes on by itself."
            ),
            "gone": _("This link is no longer valid: firstlight watch was started anew and has printed another one."),
        }
        page = Template((_HERE / "page.html").read_text(encoding="utf-8"))
        return page.substitute({key: escape(word) for key, word in words.items()})


class _Talk:
    """What one page has been told. What is read from the record for its tabs is read once for all pages."""

    def __init__(self, tabs: Tabs, shared: Tabs) -> None:
        self.tabs = tabs
        self.tabs.looks, self.tabs.graphs = shared.looks, shared.graphs
        self.sent: dict[str, tuple[int, int, int]] = {}
        self.serial = 0
        self.cursor = -1
        self.status = ""
        self.told_at = 0.0


class _Talks:
    """Answers the pages, from their many threads one after the other."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._shared = Tabs(following.board)
        self._key = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._pages: dict[str, _Talk] = {}  # the one that asked last stands last
        self._looked_at = 0.0
        self._lost = ""

    def talk(self, question: dict[str, Any]) -> dict[str, Any]:
        """What a page hears as an answer to what it says."""
        with self._lock:
            self._look()
            board = self._following.board
            page, after = str(question.get("page"))[:64], question.get("after")
            talk = self._pages.pop(page, None) or _Talk(Tabs(board), self._shared)
            self._pages[page] = talk
            while len(self._pages) > MOST_PAGES:
                del self._pages[next(iter(self._pages))]
            state = board.state()
            answer: dict[str, Any] = {"hear": [], "lost": self._lost}
            hear = answer["hear"]
            everything = after != talk.serial or talk.serial == 0  # the last answer did not arrive, or there was none
            if after == 0:
                words = {**frontend.words(), "no_answer": _("The record is long; the answer takes a while.")}
                answer["model"] = {"key": self._key, "kernel_id": "", "words": words, "state": state}
            said = [message for message in question.get("say", [])[:MOST_SAID] if isinstance(message, dict)]
            if everything and isinstance(question.get("open"), dict):
                said.insert(0, question["open"])  # the tab that it has open, which is then told anew
            for message in said:
                kind = message.get("t")
                if kind == "hello":
                    hear.append({"t": "here"})
                everything = everything or kind in ("hello", "all")
                talk.tabs.hear(message)
            now = time.monotonic()
            is_new = board.cursor != talk.cursor or state["status"] != talk.status or now - talk.told_at > WORDS_EVERY_S
            if everything or is_new:
                if everything:
                    talk.sent.clear()
                talk.cursor, talk.status, talk.told_at = board.cursor, state["status"], now
                hear.append({"t": "news", "all": everything, "state": state, "curves": board.curves(talk.sent)})
            hear += self._told_by(talk.tabs)
            talk.serial += 1
            answer["serial"] = talk.serial
            answer["again_ms"] = 100 if self._following.run.behind else AGAIN_MS.get(state["status"], AGAIN_LATER_MS)
            return answer

    def _told_by(self, tabs: Tabs) -> list[dict[str, Any]]:
        try:
            return tabs.news()
        except FirstlightError as error:
            self._lost = str(error)
            return []

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        try:
            self._following.look()
            self._lost = ""
        except FirstlightError as error:  # the record was taken away: what was seen of it stays on the page
            self._lost = str(error)
        self._looked_at = time.monotonic()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # there it would mean sharing the port with whoever wants it

    def server_bind(self) -> None:
        """As in HTTPServer, without asking the network for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that went away in the middle of an answer is no news; a fault of ours is."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _handler(
    token: str, files: dict[str, tuple[str, Callable[[], str]]], talk: Callable[[dict[str, Any]], dict[str, Any]]
) -> type[BaseHTTPRequestHandler]:
    """A class, since http.server wants one, that knows this page's token and files."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # one connection for many questions
        timeout = IDLE_S

        def do_GET(self) -> None:
            path = self._path_for_us()
            if path is None:
                return
            if path not in files:
                self._refuse(HTTPStatus.NOT_FOUND)
                return
            kind, content = files[path]
            self._answer(content().encode(), f"{kind}; charset=utf-8")

        def do_POST(self) -> None:
            path = self._path_for_us()
            if path is None:
                return
            length = self.headers.get("Content-Length", "")
            if path != "talk":
                self._refuse(HTTPStatus.NOT_FOUND)
            elif not length.isdecimal():
                self._refuse(HTTPStatus.LENGTH_REQUIRED)
            elif int(length) > MOST_BYTES:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                try:
                    question = json.loads(self.rfile.read(int(length)))
                    is_question = isinstance(question, dict) and isinstance(question.get("say", []), list)
                except ValueError:
                    is_question = False
                if not is_question:
                    self._refuse(HTTPStatus.BAD_REQUEST)
                    return
                body = json.dumps(talk(question), ensure_ascii=False, separators=(",", ":"))
                self._answer(body.encode(errors="replace"), "application/json")

        def _path_for_us(self) -> str | None:
            """The path behind the token; None where this request is refused, which has been said then."""
            hosts = self.headers.get_all("Host") or []
            name = hosts[0].rpartition(":")[0] or hosts[0] if len(hosts) == 1 else ""
            origin = self.headers.get("Origin")
            given, slash, path = urlsplit(self.path).path.removeprefix("/").partition("/")
            if (
                name not in NAMES
                or origin not in (None, f"http://{hosts[0]}")
                or not hmac.compare_digest(given.encode(errors="replace"), token.encode())
            ):
                self._refuse(HTTPStatus.FORBIDDEN)
                return None
            if not slash:  # many a terminal leaves the last "/" out of a link
                self._refuse(HTTPStatus.PERMANENT_REDIRECT, Location=f"/{token}/")
                return None
            return path

        def _refuse(self, status: HTTPStatus, **headers: str) -> None:
            self.close_connection = True  # what else it may have sent stays unread
            self._answer(f"{status.value} {status.phrase}\n".encode(), "text/plain", status, **headers)

        def _answer(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**_SAFETY, **headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def send_error(self, code: int, *_reason: str | None, **_reasons: str | None) -> None:
            """Of requests that http.server itself refuses: in the same few words."""
            self._refuse(HTTPStatus(code))

        def version_string(self) -> str:
            return "firstlight"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
            """Nothing is written down: each path holds the token."""

    return Handler
