"""What is open to whom: every door of a lab is tried, every file, process and port of it looked at.

`doors` runs inside the lab, where the addresses that the server knows are read from the server itself, those of
extensions too. All else runs outside, as a stranger would.
"""

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import re
import secrets
import shlex
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from firstlight.compat import parsed_pattern
from firstlight.errors import FirstlightError
from firstlight.lab.command import command
from firstlight.lab.home import home, log_file
from firstlight.lab.remote import is_loopback
from firstlight.lab.running import Lab
from firstlight.locale import Text, _

DOORS = "/firstlight/api/doors"
NOBODY = "00000000-0000-4000-8000-000000000000"  # a kernel, a session that is none
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
READING = ("GET", "HEAD", "OPTIONS")
FOREIGN = "evil.example"
ANSWER_S = 10.0
SHOWN = 10  # lines of evidence
START_S = 60.0


@dataclass(frozen=True)
class Door:
    """One route of the server."""

    pattern: str
    handler: str
    paths: list[str]  # addresses that match it; none where we could make up none
    reached: bool  # they lead to this very handler, and to no other that stands before it
    socket: bool  # a WebSocket
    public: str  # "static", "login" and "redirect" are for everyone, "" is not


def doors(web_app: Any, real: dict[str, list[str]]) -> list[Door]:
    """Every route of a running server, each with addresses that lead there.

    Args:
        web_app: The server's tornado application.
        real: Values for the named groups of a route, such as the numbers of kernels that run now.
    """
    from firstlight.lab.server import rule_lists

    found = []
    for rules in rule_lists(web_app.default_router):
        for rule in rules:
            if hasattr(rule.target, "rules"):  # its own rules stand in another list
                continue
            regex = getattr(rule.matcher, "regex", None)
            pattern = regex.pattern if regex is not None else type(rule.matcher).__name__
            paths = samples(pattern, real) if regex is not None else []
            reached = [path for path in paths if _leads_to(web_app, path) is rule.target]
            found.append(
                Door(
                    pattern=pattern,
                    handler=_name(rule.target),
                    paths=reached or paths,
                    reached=bool(reached),
                    socket=_is_socket(rule.target),
                    public=_public(rule),
                )
            )
    return found


def samples(pattern: str, real: dict[str, list[str]]) -> list[str]:
    """Addresses that match a route's pattern: optional parts left out and filled in, each alternative, each real value.

    Example:
        >>> samples("/api/kernels/(?P<kernel_id>[0-9]+)(/(restart|interrupt))?$", {"kernel_id": ["42"]})
        ['/api/kernels/0', '/api/kernels/0/restart', '/api/kernels/0/interrupt', '/api/kernels/42', \
'/api/kernels/42/restart', '/api/kernels/42/interrupt']
    """
    try:
        tree = parsed_pattern(pattern)
    except re.error:
        return []
    names = {number: name for name, number in tree.state.groupdict.items()}
    longest = max((len(values) for values in real.values()), default=0)
    found = []
    for which in range(-1, longest):
        values = {name: real[name][min(which, len(real[name]) - 1)] for name in real if real[name] and which >= 0}
        for choice in range(3):
            text = _text(tree, choice, names, values)
            path = quote(f"/{text.lstrip('/')}", safe="/%?=&.-_~:@!$'()*+,;")
            if re.fullmatch(pattern, text) or re.match(pattern, path):
                found.append(path)
    return list(dict.fromkeys(found))


def _text(tree: Any, choice: int, names: dict[int, str], values: dict[str, str]) -> str:
    """A text that matches; `choice` 0 leaves out what may be left out."""
    written = []
    inner = functools.partial(_text, choice=choice, names=names, values=values)
    for operation, about in tree:
        kind = str(operation)
        if kind == "LITERAL":
            written.append(chr(about))
        elif kind == "ANY":
            written.append("x")
        elif kind == "NOT_LITERAL":
            written.append("x" if about != ord("x") else "y")
        elif kind == "IN":
            written.append(_letter(about))
        elif kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, repeated = about
            written.append(inner(repeated) * max(least, min(most, 1 if choice else 0)))
        elif kind == "SUBPATTERN":
            group, group_tree = about[0], about[-1]
            name = names.get(group, "(.*)") if group is not None else ""
            written.append(values.get(name) or inner(group_tree))
        elif kind == "BRANCH":
            written.append(inner(about[1][min(max(choice - 1, 0), len(about[1]) - 1)]))
        elif kind == "ATOMIC_GROUP":
            written.append(inner(about))
    return "".join(written)


def _letter(choices: Any) -> str:
    """A letter of a set such as `[a-z]` or `[^/]`."""
    described = [(str(kind), about) for kind, about in choices]
    if described[0][0] == "NEGATE":
        forbidden = {chr(about) for kind, about in described if kind == "LITERAL"}
        return next(letter for letter in "x0-_" if letter not in forbidden)
    kind, about = described[0]
    if kind == "LITERAL":
        return chr(about)
    if kind == "RANGE":
        return chr(about[0])
    return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_NOT_WORD": "-"}.get(str(about), "x")


def _leads_to(web_app: Any, path: str) -> Any:
    """The handler that would answer there; None where that is no handler."""
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

    class Nowhere:
        context = None
        no_keep_alive = False

    line = RequestStartLine("GET", path, "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "localhost"}), connection=Nowhere())
    return getattr(web_app.find_handler(request), "handler_class", None)


def _name(target: Any) -> str:
    kind = target if isinstance(target, type) else type(target)
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_socket(target: Any) -> bool:
    from tornado.websocket import WebSocketHandler

    return isinstance(target, type) and issubclass(target, WebSocketHandler)


def _public(rule: Any) -> str:
    """Whether everyone may ask: our login page, jupyter_server's logout, and files that came with a package."""
    from jupyter_core.paths import jupyter_path
    from jupyter_server.auth.logout import LogoutHandler
    from jupyter_server.base.handlers import TrailingSlashHandler
    from tornado.web import StaticFileHandler

    from firstlight.lab.identity import LabLogin

    target = rule.target
    if target is LabLogin or target is LogoutHandler:
        return "login"
    if target is TrailingSlashHandler:
        return "redirect"
    if isinstance(target, type) and issubclass(target, StaticFileHandler):
        where = rule.target_kwargs.get("path") or []
        places = [Path(place).resolve() for place in ([where] if isinstance(where, str) else where)]
        packages = [
            Path(folder).resolve() for folder in (*jupyter_path(), *map(sysconfig.get_path, ("purelib", "platlib")))
        ]
        if places and all(any(package in place.parents for package in packages) for place in places):
            return "static"
    return ""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int  # 0: nothing, within `ANSWER_S`
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Stranger:
    """Asks a lab for anything, in any name, and carries nothing but what it is told to."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.asked = 0
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, headers: dict[str, str], *, socket: bool = False) -> Answer:
        """One request. A WebSocket that opens is closed again; its answer has the status 101."""
        self.asked += 1
        if socket:
            headers = {**headers, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            headers["Sec-WebSocket-Key"] = "Zmlyc3RsaWdodCBhdWRpdA=="
            self.close()
        body = b"{}" if method in ("POST", "PUT", "PATCH") else None
        for attempt in range(2):  # a connection that was kept may have been closed meanwhile
            kept, self._connection = self._connection, self._connection or self._connect()
            try:
                self._connection.request(method, path, body, {"Host": f"localhost:{self.lab.port}", **headers})
                answer = self._connection.getresponse()
                content = b"" if answer.status == http.client.SWITCHING_PROTOCOLS else answer.read()
            except TimeoutError:
                self.close()
                return Answer(0)
            except (OSError, http.client.HTTPException):
                self.close()
                if kept is None or attempt:
                    return Answer(0)
            else:
                if socket or answer.will_close:
                    self.close()
                return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)
        return Answer(0)

    def close(self) -> None:
        """End the connection that is kept."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if not self.lab.secure:
            return http.client.HTTPConnection(self.lab.address, self.lab.port, timeout=ANSWER_S)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whoever knocks does not care
        return http.client.HTTPSConnection(self.lab.address, self.lab.port, timeout=ANSWER_S, context=context)


@dataclass(frozen=True)
class Open:
    """An answer that nobody should have got."""

    door: Door
    method: str
    path: str
    by: str  # which way of asking
    why: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.door.handler}), {self.by}: {self.why}"


def knock(lab: Lab, found: Iterable[Door], *, harmless: bool) -> tuple[dict[str, int], list[Open]]:
    """Try every door in every way: no token, a wrong one, foreign names, pages of others.

    Args:
        lab: The lab.
        found: Its doors.
        harmless: Ask for nothing that would change anything if it were answered: for a lab in which somebody works.

    Returns:
        How many requests were made in each way, and those that were answered and should not have been.
    """
    stranger, opened, count = Stranger(lab), [], {}
    found = list(found)
    cookie = _cookie(stranger)
    right = {"Authorization": f"token {lab.token}"}
    page = {"Cookie": cookie, "Origin": f"https://{FOREIGN}", "Referer": f"https://{FOREIGN}/"}
    form = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    nobody = _with_secret_of_form(stranger)  # or jupyter_server would refuse what changes things for want of it alone
    wrong = {**nobody, "Authorization": f"token {secrets.token_hex(24)}"}
    methods = READING if harmless else METHODS
    writing = [method for method in methods if method not in READING]
    ways: list[tuple[str, dict[str, str], Iterable[str], Any]] = [
        ("without a token", nobody, methods, _open_to_strangers),
        ("under a foreign host name", {**right, "Host": FOREIGN}, methods[:4], _open_at_all),
        ("from a foreign page", page, methods, _open_to_pages),
        ("from a foreign form", form, writing, _open_to_forms),
        ("with a wrong token", wrong, methods[:1] if harmless else methods, _open_to_strangers),  # last: the brake
    ]
    for by, headers, asked, judge in ways:
        if by == "with a wrong token" and harmless:
            found = found[:3]  # more, and the lab would turn this machine away for a minute
        before = stranger.asked
        for door in found:
            for path in door.paths if door.reached else ():  # else the door that stands before it is asked
                for method in asked:
                    answer = stranger.ask(method, path, headers)
                    if why := judge(door, method, answer):
                        opened.append(Open(door, method, path, by, why))
                if door.socket and judge is not _open_to_forms:
                    answer = stranger.ask("GET", path, headers, socket=True)
                    if answer.status not in (302, 400, 401, 403, 404, 429):
                        opened.append(Open(door, "WebSocket", path, by, str(answer.status or "no answer")))
        count[by] = stranger.asked - before
    stranger.close()
    return count, opened


def _with_secret_of_form(stranger: Stranger) -> dict[str, str]:
    """What everybody gets with the login page, against forged forms; it lets nobody in."""
    cookie = stranger.ask("GET", "/login", {}).headers.get("set-cookie", "").partition(";")[0]
    return {"Cookie": cookie, "X-XSRFToken": cookie.partition("=")[2].strip('"')}


def _cookie(stranger: Stranger) -> str:
    """What a browser holds that has signed in."""
    answer = stranger.ask("GET", "/login", {"Authorization": f"token {stranger.lab.token}"})
    return answer.headers.get("set-cookie", "").partition(";")[0]


def _open_at_all(_door: Door, _method: str, answer: Answer) -> str:
    return "" if answer.status in (400, 403) else f"{answer.status or 'no answer'}"


def _open_to_strangers(door: Door, method: str, answer: Answer) -> str:
    """Why this answer to somebody without a token is one too many; empty where it is none."""
    if answer.status in (401, 403, 405, 429):
        return ""
    if answer.status in (301, 302) and (method in READING or door.public == "redirect"):
        where = answer.headers.get("location", "")
        return "" if where.startswith("/") and not where.startswith("//") else f"leads to {where}"
    if method == "OPTIONS" and answer.status in (200, 204) and not answer.body:
        return "" if "access-control-allow-origin" not in answer.headers else "other pages may read the answers"
    if door.public == "static" and method in READING and answer.status in (200, 304, 404):
        return ""
    if door.public == "login" and method in READING and answer.status == http.client.OK:
        return ""
    return f"{answer.status or 'no answer'}"


def _open_to_pages(_door: Door, method: str, answer: Answer) -> str:
    """Why this answer is one too many to a page of somebody else's, in a browser that has signed in."""
    if "access-control-allow-origin" in answer.headers:
        return "other pages may read the answers"
    if method in READING:
        return ""  # the browser keeps it to itself
    return "" if answer.status in (400, 403, 404, 405) else f"{answer.status or 'no answer'}"


def _open_to_forms(door: Door, method: str, answer: Answer) -> str:
    """The same for a form: some browsers tell nothing of the page that it stands on."""
    return _open_to_pages(door, method, answer)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    who: str  # "network", "stranger", "page", "neighbour", "owner"
    ok: bool
    told: str
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Audit:
    """What is open to whom, of one lab."""

    lab: str  # its address, without token
    folder: str
    running: bool  # else one was started with these settings, to be tried, and ended
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether nothing is open that should not be."""
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, **asdict(self)}

    def as_text(self) -> str:
        """For people."""
        title = _("{lab}, folder {folder}", lab=self.lab, folder=self.folder)
        if not self.running:
            title += "\n" + _("No lab is running: one like it was started, tried, and ended.")
        lines = [title]
        for who, heading in _headings().items():
            if told := [check for check in self.checks if check.who == who]:
                lines.append(f"\n{heading}")
            for check in told:
                mark = _("fine") if check.ok else _("OPEN")
                lines.append(f"  {mark:<6}{check.told}")
                lines += [f"        {line}" for line in check.evidence[:SHOWN]]
                if len(check.evidence) > SHOWN:
                    lines.append("        " + _("and {count} more", count=len(check.evidence) - SHOWN))
        problems = sum(not check.ok for check in self.checks)
        verdict = _("Nothing is open that should not be.") if self.ok else _("To be closed: {count}.", count=problems)
        return "\n".join([*lines, "", verdict])


def audit(
    lab: Lab, *, is_running: bool = True, folder: Path | None = None, own: Path | None = None, ip: str = ""
) -> Audit:
    """Look at a lab from outside: its ports, its doors, its files, its processes.

    Args:
        lab: A lab that runs now.
        is_running: Somebody works in it, so nothing is asked that could disturb; else it was started for this.
        folder: The learner's folder, where the lab that was started for this has another.
        own: The folder of our own files, where the lab that was started for this has another.
        ip: The address at which a lab with these settings would listen, where the one that was started does not.
    """
    place = folder or Path(lab.folder)
    return Audit(
        lab=lab.url.partition("?")[0],
        folder=str(place),
        running=is_running,
        checks=[
            *_network(lab, ip),
            *_doors(lab, harmless=is_running),
            *_neighbours(lab, place, own or home()),
            *_owner(lab),
        ],
    )


@contextlib.contextmanager
def trial(words: list[str]) -> Iterator[Lab]:
    """A lab with these settings, in a folder of its own and for this machine only, for as long as it is tried.

    Args:
        words: More words for its command line.

    Raises:
        TrialFailed: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="firstlight-audit-", ignore_cleanup_errors=True) as temporary:
        folder, own, said = (Path(temporary) / name for name in ("lab", "home", "said.txt"))
        folder.mkdir(mode=0o700)
        (folder / "audit.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
        start = ["lab", "--no-browser", "--port", "0", "--dir", str(folder), "--notebook", "audit.ipynb"]
        with said.open("w", encoding="utf-8") as messages:
            process = subprocess.Popen(
                [sys.executable, "-m", "firstlight", *start, *words, "--ip", "127.0.0.1"],
                env={**os.environ, "FIRSTLIGHT_HOME": str(own)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
            )
        try:
            yield _started(process, own, said)
        finally:
            process.terminate()
            try:
                process.wait(ANSWER_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class TrialFailed(FirstlightError, RuntimeError):
    """The lab that was to be tried did not start."""

    text = Text(
        what="The lab that was to be tried did not start.",
        why="It said: {said}",
        do="Mend that, then look again: {command} lab --audit",
    )


def _started(process: subprocess.Popen[bytes], own: Path, said: Path) -> Lab:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        for path in own.glob("labs/*/lab.json"):
            lab = Lab(**json.loads(path.read_text(encoding="utf-8")))
            with contextlib.suppress(OSError):
                if lab.ask("GET", DOORS)[0] == http.client.OK:
                    return lab
        time.sleep(0.05)
    words = " ".join(said.read_text(encoding="utf-8").split())
    raise TrialFailed(said=words or "-", command=command())


def _headings() -> dict[str, str]:
    return {
        "network": _("Other machines"),
        "stranger": _("Whoever reaches the port, without the token or the password"),
        "page": _("Pages of others, in a browser that has signed in"),
        "neighbour": _("Other people on this machine"),
        "owner": _("Whoever has the link or the password"),
    }


def _network(lab: Lab, ip: str) -> Iterator[Check]:
    """Every port of the lab and of all that it started: what listens, not what was asked for."""
    listening = {}
    for process in _processes(lab):
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    listening[connection.laddr.ip, connection.laddr.port] = process.name()
    far = [f"{ip}:{port} ({name})" for (ip, port), name in sorted(listening.items()) if not is_loopback(ip)]
    if ip and not is_loopback(ip):
        yield Check("network", lab.secure, _("They would reach it at {ip}.", ip=ip))
    elif not far:
        yield Check("network", True, _("They reach nothing: the lab listens for this machine only."))
    else:
        told = _("They reach these ports:") if lab.secure else _("They reach these ports, without encryption:")
        yield Check("network", lab.secure, told, far)
    if not lab.secure:
        return
    plain = Stranger(dataclasses.replace(lab, secure=False)).ask("GET", "/login", {})
    yield Check(
        "network", plain.status == 0, _("Only TLS is answered, and sign-in is by password: no token in a link.")
    )
    root = any(_is_root(process) for process in _processes(lab))
    if root and far:
        told = _("The lab runs as root: whoever gets in may do anything on this machine.")
        yield Check("network", False, told)


def _doors(lab: Lab, *, harmless: bool) -> Iterator[Check]:
    status, body = lab.ask("GET", DOORS)
    if status != http.client.OK:
        yield Check("stranger", False, _("The lab does not name its doors: it is of an older version. Start it anew."))
        return
    found = [Door(**door) for door in json.loads(body)]
    asked, opened = knock(lab, found, harmless=harmless)
    unknown = [f"{door.pattern} ({door.handler})" for door in found if not door.paths]
    for who, right, wrong in (
        (
            "stranger",
            _("the login page and the files of the programs, nothing else."),
            _("answered without the token:"),
        ),
        ("page", _("nothing can be changed, and no socket opens."), _("answered to a page of somebody else's:")),
    ):
        mine = [str(one) for one in opened if ("foreign" in one.by) == (who == "page")]
        requests = sum(number for by, number in asked.items() if ("foreign" in by) == (who == "page"))
        told = _("{doors} doors, {requests} requests:", doors=len(found), requests=requests)
        yield Check(who, not mine, f"{told} {wrong if mine else right}", mine)
    if unknown:
        yield Check(
            "stranger", False, _("No address could be made up for these doors, so they were not tried:"), unknown
        )


def _neighbours(lab: Lab, folder: Path, own: Path) -> Iterator[Check]:
    """What the modes of files let other users do, and what they see of processes."""
    if os.name != "nt":
        runtime = Path(lab.runtime)
        for place, told in (
            (own, _("Token, password, history of cells: {path}", path=own)),
            (runtime, _("What the notebook and its Python say to each other: {path}", path=runtime)),
            (folder, _("Your notebooks and runs: {path}", path=folder)),
        ):
            may = open_to_others(place)
            evidence = [_("They can read it. To close it: {command}", command=f"chmod 700 {shlex.quote(str(place))}")]
            yield Check("neighbour", not may, told, evidence if may else [])
        loose = [str(path) for path in _secret_files(lab, own) if path.stat().st_mode & 0o077]
        told = _("Each file that holds a secret is for its owner alone.")
        yield Check("neighbour", not loose, told, loose)
    ports = [path.name for path in Path(lab.runtime).glob("kernel-*.json") if not _kernel_is_closed(path)]
    told = _("Without a file of yours, nobody can listen to a notebook's Python or speak to it.")
    yield Check("neighbour", not ports, told, ports)
    seen = [str(process.pid) for process in _processes(lab) if any(word in _shown(process) for word in secrets_of(lab))]
    told = _("The list of processes and the log name neither token nor password.")
    yield Check("neighbour", not seen and not holding(secrets_of(lab), log_file().parent), told, seen)


def _owner(lab: Lab) -> Iterator[Check]:
    who = next((process.username() for process in _processes(lab)), "?")
    told = _("can run any program as {user}, and read and change all that {user} can. Give it to nobody.", user=who)
    yield Check("owner", True, told)


def open_to_others(place: Path) -> str:
    """What other users of this machine may do with a folder: "" for nothing, else a part of "rwx".

    Its own mode decides, and those of the folders above: where they may not enter, nothing below is theirs.
    """
    place = place.resolve()
    try:
        for above in place.parents:
            if not _others(above.stat()) & 1:
                return ""
        return "".join(letter for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if _others(place.stat()) & bit)
    except FileNotFoundError:  # nothing there yet; the lab makes it for its owner alone
        return ""


def secrets_of(lab: Lab) -> list[str]:
    """The tokens that open it."""
    return [word for word in (lab.token, lab.url.partition("token=")[2]) if word]


def holding(words: list[str], folder: Path) -> list[Path]:
    """The files of a folder in which one of the words stands."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and any(word.encode() in path.read_bytes() for word in words):
                found.append(path)
    return found


def _others(status: os.stat_result) -> int:
    """The bits of other users, and of the group where others may be in it."""
    bits = status.st_mode & 7
    return bits if _is_private_group(status) else bits | (status.st_mode >> 3 & 7)


def _is_private_group(status: os.stat_result) -> bool:
    """Whether nobody but the owner is in the group, as where each user has a group of their own."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    return (status.st_gid == 0 or group.gr_name == user.pw_name) and not {*group.gr_mem} - {user.pw_name, "root"}


def _secret_files(lab: Lab, own: Path) -> list[Path]:
    found = [
        own / "password",
        *own.glob("tls/*.key"),
        *own.glob("labs/*/lab.json"),
        *Path(lab.runtime).glob("kernel-*.json"),
    ]
    return [path for path in found if path.is_file()]


def _kernel_is_closed(connection_file: Path) -> bool:
    """Its sockets are files in a folder of the owner's, or all that they say is encrypted."""
    try:
        told = json.loads(connection_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # being written, or gone with its kernel
        return True
    return told.get("transport") == "ipc" or "curve_secretkey" in told


def _processes(lab: Lab) -> list[psutil.Process]:
    try:
        first = psutil.Process(lab.pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _shown(process: psutil.Process) -> str:
    """What the list of processes shows to everyone, and the environment, which it shows to some."""
    with contextlib.suppress(psutil.Error):
        return " ".join((*process.cmdline(), *process.environ().values()))
    return ""


def _is_root(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, AttributeError):  # Windows has no numbers of users
        return bool(process.uids().effective == 0)
    return False
