"""The lab itself: a Jupyter Server in this process, with our settings, our messages and our Ctrl-C."""

import asyncio
import importlib.util
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from firstlight.compat import end_workers, quick_server_imports
from firstlight.errors import FirstlightError
from firstlight.files import gone_if_it_fails
from firstlight.lab import remote, running
from firstlight.lab.command import command
from firstlight.lab.folder import Place, chosen, default_folder, prepare
from firstlight.lab.home import LOG_BYTES, Room, encrypts, log_file, open_room, remove
from firstlight.locale import Text, _, language

PORT = 8888
PORTS = 100  # tried in a row before we give up
PAGES = {"lab": "doc/tree", "notebook": "notebooks"}  # one document, not yesterday's workspace with yesterday's kernels
NEEDS = {"lab": ("torch", "ipykernel", "anywidget", "jupyter_server", "jupyterlab"), "notebook": ("notebook",)}
NEEDLESS = ("LicensesHandler", "CSPReportHandler", "NotebooksRedirectHandler")  # see `close_doors`
ENDING_ATTEMPTS = 12  # a restart takes about a second
OPEN_FILE_S = 30.0  # a browser that takes longer finds the link in the terminal


class PortTaken(FirstlightError, OSError):
    """The port that was asked for is in use."""

    text = Text(
        what="Port {port} is not free: {reason}",
        why="A port serves one program at a time, and you asked for this one.",
        do="Choose another port, or leave --port out and the lab finds a free one. Your labs: {command} lab --list",
    )


class LabFailed(FirstlightError, RuntimeError):
    """Jupyter Server gave up."""

    text = Text(
        what="The lab could not start.",
        why="Jupyter Server gave up; the reason stands at the end of {path}",
        do="If the reason tells you nothing, report it together with what this prints: {command} selftest",
    )


class LabIncomplete(FirstlightError, ImportError):
    """Packages that the lab needs are not installed."""

    text = Text(
        what="The lab needs packages that this Python does not have: {packages}",
        why="firstlight itself is installed, its lab is an extra. This Python is {python}",
        do='Install them: {python} -m pip install "firstlight[lab]"',
    )


class NotForRoot(FirstlightError, PermissionError):
    """Root asked for a lab that other machines can reach."""

    text = Text(
        what="A lab that other machines can reach does not run as root.",
        why="Whoever gets into the notebook could do anything on this machine.",
        do="Start it as an ordinary user, insist with --allow-root, or use this on your own machine:\n    {ssh}",
    )


class NeedsRemote(FirstlightError, ValueError):
    """An address was asked for that other machines can reach, without `--remote`."""

    text = Text(
        what="Other machines can reach {ip}, and --remote was not given.",
        why="Without it the lab has no encryption and no password, so it stays on this machine.",
        do="Add --remote, or leave --ip out and use this line on your own machine:\n    {ssh}",
    )


@dataclass(frozen=True)
class Wishes:
    """What the person asked for. The defaults are a lab on this machine in the person's language."""

    folder: Path = field(default_factory=default_folder)
    port: int | None = None
    notebook: str | None = None  # a file of the folder instead of the lesson
    ui: str = "lab"
    browser: bool = True
    language_chosen: bool = False
    remote: bool = False
    ip: str | None = None
    host_names: tuple[str, ...] = ()
    certfile: Path | None = None
    keyfile: Path | None = None
    allow_root: bool = False
    expose_app: bool = False  # for browser tests: `window.jupyterapp`


def serve(wishes: Wishes) -> None:
    """Run a lab until it is stopped.

    Raises:
        FirstlightError: It cannot start; the message says why and what to do.
    """
    ip, port = check(wishes)
    folder = wishes.folder.expanduser().absolute()
    spoken = language() if wishes.language_chosen else None
    if wishes.browser and sys.stdin.isatty() and _gone_to_running(folder, spoken):
        return
    neighbours = [lab for lab in running.labs() if Path(lab.folder) == folder]
    place = chosen(folder, wishes.notebook, language()) if wishes.notebook else prepare(folder, language())
    room = open_room(language(), language_chosen=wishes.language_chosen)
    os.environ["FIRSTLIGHT_LANG"] = language()
    os.environ["FIRSTLIGHT_RUNS"] = str(folder / "runs")
    try:
        _Lab(wishes, folder, place, room, ip, port, neighbours).run()
    finally:
        remove(room)


def check(wishes: Wishes) -> tuple[str, int]:
    """Whether a lab like this may start at all.

    Returns:
        The address and the port where it would listen.

    Raises:
        FirstlightError: It may not; the message says why and what to do.
    """
    _check_packages(wishes.ui)
    ip = wishes.ip or ("0.0.0.0" if wishes.remote else "127.0.0.1")  # remote alone means every address
    port = _free_port(ip, wishes.port)
    if not remote.is_loopback(ip):
        if not wishes.remote:
            raise NeedsRemote(ip=ip, ssh=remote.ssh_line(port))
        if getattr(os, "geteuid", lambda: -1)() == 0 and not wishes.allow_root:
            raise NotForRoot(ssh=remote.ssh_line(port))
    return ip, port


def show_in_browser(url: str, folder: Path) -> Path | None:
    """Open a page whose address holds a token, without the token on any command line or in the browser's history.

    A browser's command line can be read by every user of the machine, and its history outlives the lab. So the browser
    is given a small file of ours, readable by its owner only, that signs in with a form and is led on to the page. The
    file lies in the learner's folder, because browsers in a sandbox (snap, flatpak) may not read hidden folders of the
    home folder.

    Returns:
        The file, to be removed once the browser has read it; None when there is no browser to open.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None  # webbrowser would find a text browser and put it over this terminal
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return None
    path = folder / f".firstlight-open-{secrets.token_hex(8)}.html"  # nobody has put a link there before
    parts = urlsplit(url)
    if token := parts.query.removeprefix("token="):
        action = escape(f"{parts.scheme}://{parts.netloc}/login?next={quote(parts.path, safe='')}")
        way = (
            f'<form method="post" action="{action}"><input type="hidden" name="password" value="{escape(token)}">'
            "<button>firstlight</button></form><script>document.forms[0].submit()</script>"
        )
    else:
        link = escape(url)
        way = f'<meta http-equiv="refresh" content="0;url={link}"><a href="{link}">firstlight</a>'
    page = f'<!DOCTYPE html><meta charset="utf-8"><meta name="referrer" content="no-referrer">{way}'
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with gone_if_it_fails(path), os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(page)
    threading.Thread(target=browser.open, args=(path.as_uri(),), daemon=True).start()
    return path


class _Lab:
    """One lab from its settings to its end."""

    def __init__(
        self,
        wishes: Wishes,
        folder: Path,
        place: Place,
        room: Room,
        ip: str,
        port: int,
        neighbours: list[running.Lab],
    ) -> None:
        self.wishes, self.folder, self.place, self.room = wishes, folder, place, room
        self.ip, self.port, self.neighbours = ip, port, neighbours
        self.token = "" if wishes.remote else secrets.token_hex(24)
        self.control_token = secrets.token_hex(24)
        self.kept_password = remote.kept_password() if wishes.remote else ""  # its hash
        self.password = remote.password() if wishes.remote and not self.kept_password else ""
        self.certificate: remote.Certificate | None = None
        self.names: list[str] = []
        self.open_file: Path | None = None
        self.app: Any = None
        self.asking = False
        self.stopping = False

    def run(self) -> None:
        if self.wishes.remote:
            self.names = sorted({*(name.lower() for name in self.wishes.host_names), *remote.names_of_this_machine()})
            self.certificate = remote.certificate(self.wishes.certfile, self.wishes.keyfile, self.names)
        quick_server_imports()
        from jupyter_server.serverapp import ServerApp

        from firstlight.lab.headers import guard_answers
        from firstlight.lab.keeping import SETTING as KEEPER

        config_folder = str(self.room.folder / "config")

        class App(ServerApp):  # type: ignore[misc]  # jupyter_server is read without its types
            """Reads our settings only: neither the person's nor the machine's."""

            @property
            def config_file_paths(self) -> list[str]:
                return [config_folder]

            async def cleanup_kernels(self) -> None:
                """A kernel that is being restarted at this moment cannot be ended: upstream raises, and never stops."""
                await self.web_app.settings[KEEPER].end()
                for _attempt in range(ENDING_ATTEMPTS):
                    try:
                        await super().cleanup_kernels()
                        return
                    except Exception:
                        self.log.warning("a kernel did not end at once", exc_info=True)
                        await asyncio.sleep(0.25)
                # Kernels end themselves when their lab is gone.

        try:
            self.app = App.instance(config=self._config())
            self.app.no_browser_open_file = True  # no setting: a file with the token that nobody needs
            self._initialize()
            close_doors(self.app.web_app)
            admit_only(self.app.web_app, [*self.names, self.ip])
            guard_answers(self.app.web_app)
            self._take_signals()
            self.app.io_loop.add_callback(self._announce)  # runs after the callback that binds the port
            self.app.start()
        except SystemExit as end:  # how ServerApp ends when it cannot go on
            if end.code:
                _free_port(self.ip, self.port)  # says so if another program was faster
                raise LabFailed(path=log_file(), command=command()) from end
        finally:
            end_workers()
            if self.open_file:
                self.open_file.unlink(missing_ok=True)
        _say(_("The lab has stopped. Your work is in {folder}", folder=self.folder))

    def _initialize(self) -> None:
        try:
            self.app.initialize(argv=[], find_extensions=False)  # the extensions of `_config` and no others
        except Exception as error:  # of many packages; JupyterLab that cannot be loaded, for one
            self.app.log.exception("jupyter_server did not start")
            raise LabFailed(path=log_file(), command=command()) from error

    def _config(self) -> Any:
        from traitlets.config import Config

        from firstlight.lab.identity import LabIdentity, LabLogin

        c = Config()
        server = c.ServerApp
        server.ip, server.port, server.port_retries = self.ip, self.port, 0
        server.root_dir = str(self.folder)
        server.default_url = f"/{PAGES[self.wishes.ui]}/{quote(self.place.notebook)}"
        server.open_browser = False
        server.allow_root = True  # `serve` has decided
        server.terminals_enabled = False
        server.reraise_server_extension_failures = True  # a lab without JupyterLab is none
        server.cookie_secret = secrets.token_bytes(32)  # nothing on disk, and no cookie outlives its lab
        server.allow_unauthenticated_access = False  # a handler that forgot to say who may in lets nobody in
        server.tornado_settings = {"compress_response": True}  # first visit 3.6 MB instead of 12.5
        server.extra_template_paths = [str(Path(__file__).with_name("templates"))]
        server.identity_provider_class = LabIdentity
        server.jpserver_extensions = {
            "jupyterlab": True,
            "firstlight.lab.extension": True,
            **({"notebook": True} if self.wishes.ui == "notebook" else {}),
        }
        c.LabIdentity.token = self.token
        c.LabIdentity.control_token = self.control_token
        c.LabIdentity.login_handler_class = LabLogin
        c.LabIdentity.allow_password_change = False
        c.LabIdentity.cookie_options = {"samesite": "Lax", "expires_days": 1}
        c.LabIdentity.get_secure_cookie_kwargs = {"max_age_days": 1}
        if self.wishes.remote:
            from jupyter_server.auth import passwd

            c.LabIdentity.hashed_password = self.kept_password or passwd(self.password)  # argon2
            c.LabIdentity.password_required = True
            server.allow_remote_access = True  # its list knows no addresses; `admit_only` keeps ours
            if self.certificate:
                server.certfile = str(self.certificate.certfile)
                server.keyfile = str(self.certificate.keyfile or "")
        else:
            server.allow_remote_access = False
            server.local_hostnames = ["localhost"]
        server.contents_manager_class = "firstlight.lab.saving.Contents"
        server.kernel_websocket_connection_class = "firstlight.lab.keeping.Connection"
        c.KernelRestarter.time_to_dead = 1.0  # seconds until a kernel that has ended is missed
        c.KernelManager.transport = self.room.transport
        if self.room.transport == "tcp" and encrypts():  # whoever is on this machine can reach the kernels' ports
            c.MappingKernelManager.transport_encryption = "required"
        c.MultiKernelManager.kernel_manager_class = "firstlight.lab.kernels.QuietKernelManager"
        c.NotebookNotary.data_dir = str(self.room.folder.parents[1] / "trust")
        c.FirstlightExtension.notebook = self.place.notebook
        c.FirstlightExtension.key = self.room.key
        c.FirstlightExtension.keep = True
        c.LabApp.news_url = None
        c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
        c.LabApp.extension_manager = "readonly"
        c.LabApp.expose_app_in_browser = c.JupyterNotebookApp.expose_app_in_browser = self.wishes.expose_app
        c.Application.log_level = 30
        c.Application.logging_config = _logging([self.token, self.control_token, self.password])
        return c

    def _announce(self) -> None:
        """The server listens: leave the record, then say so."""
        (self.room.folder.parents[1] / "trust").mkdir(mode=0o700, exist_ok=True)
        urls = self._urls()
        if not self.stopping:
            running.record(
                self.room,
                running.Lab(
                    key=self.room.key,
                    pid=os.getpid(),
                    port=self.port,
                    url=urls[0],
                    folder=str(self.folder),
                    lang=language(),
                    ui=self.wishes.ui,
                    started=time.time(),
                    runtime=str(self.room.runtime),
                    token=self.control_token,
                    secure=self.certificate is not None,
                    fingerprint=self.certificate.fingerprint if self.certificate else "",
                    address=_local_address(self.ip),
                ),
            )
        for lab in self.neighbours:
            _say(_("A lab for this folder is running already. It stays; this is a second one. The first:"))
            _say(f"    {lab.url}")
        if self.place.newer:
            _say(
                _(
                    "There is a newer version of the lesson. Yours is untouched; the new one is beside it: {name}",
                    name=self.place.newer,
                )
            )
        if self.wishes.port is None and self.port != PORT:
            _say(_("Port {port} is in use, so the lab took {found}.", port=PORT, found=self.port))
        _say(_("The lab is ready. Notebook: {path}", path=self.folder / self.place.notebook))
        if self.wishes.remote:
            self._announce_remote(urls)
        else:
            self._announce_local(urls[0])
        _say(_("Ctrl-C here stops it."))
        self.app.io_loop.call_later(1.0, self._watch_first_kernel)

    def _urls(self) -> list[str]:
        path = f"{PAGES[self.wishes.ui]}/{quote(self.place.notebook)}"
        if not self.wishes.remote:
            host = f"[{self.ip}]" if ":" in self.ip else self.ip
            return [f"http://{host}:{self.port}/{path}?token={self.token}"]
        names = [*self.wishes.host_names] or [remote.outward_address() or socket.gethostname()]
        if remote.is_loopback(self.ip):
            names = [self.ip]
        return [f"https://{f'[{name}]' if ':' in name else name}:{self.port}/{path}" for name in names]

    def _announce_local(self, url: str) -> None:
        over_ssh = bool(os.environ.get("SSH_CONNECTION"))
        if over_ssh:
            _say(_("You are here over ssh. Type this in a terminal on your own machine and leave it open:"))
            _say(f"    {remote.ssh_line(self.port)}")
            _say(_("Then open this link in the browser there:"))
        elif self.wishes.browser and (path := show_in_browser(url, self.folder)):
            self.open_file = path
            self.app.io_loop.call_later(OPEN_FILE_S, path.unlink, True)
            _say(_("Your browser opens it. If it does not, this is the link:"))
        else:
            _say(_("Open this link in your browser:"))
        _show(url)  # the one place where the token stands

    def _announce_remote(self, urls: list[str]) -> None:
        _say(_("Other machines can reach it. Open this link in a browser there:"))
        _show(*urls)
        if self.kept_password:
            _say(_("The password is the one that you set: {command} lab --set-password", command=command()))
        else:
            _say(_("Password: {password}", password=self.password))
        if self.certificate:
            if self.certificate.own:
                _say(_("The browser will warn: this machine signed the certificate itself."))
                _say(_("Go on only if the browser shows this SHA-256 fingerprint:"))
            else:
                _say(_("SHA-256 fingerprint of the certificate:"))
            _say(f"    {self.certificate.spelled()}")
        _say(
            _(
                "Safer, and without a warning: start `{command} lab` without --remote, and on your own machine type:",
                command=command(),
            )
        )
        _say(f"    {remote.ssh_line(self.port, next(iter(self.wishes.host_names), None))}")

    def _watch_first_kernel(self) -> None:
        extension = self.app.web_app.settings["firstlight"]
        if extension.kernel == "failed":
            _say(_("The notebook's Python did not start: {reason}", reason=extension.reason))
            _say(_("The lab stays open. Details: {path}", path=log_file()))
        elif extension.kernel in ("none", "starting"):
            self.app.io_loop.call_later(1.0, self._watch_first_kernel)

    def _take_signals(self) -> None:
        """Ours instead of ServerApp's: the same on Windows, and in the learner's language."""
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):  # asked to end; the terminal was closed; the same on Windows
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, lambda *_args: self._stop())
        signal.signal(signal.SIGINT, lambda *_args: self._interrupted())

    def _interrupted(self) -> None:
        if self.asking or self.stopping or not sys.stdin.isatty():
            self._stop()
            return
        self.asking = True
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        question = _("Stop the lab? Notebooks are saved every few seconds, programs that run in them end. [y/N] ")
        sys.stderr.write("\n" + question)
        sys.stderr.flush()
        answer = _read_line()
        if self.stopping:
            return  # a second Ctrl-C was faster
        if is_yes(answer):
            self.app.io_loop.add_callback(self._stop)  # this is a thread of its own
        else:
            self.asking = False
            _say(_("The lab goes on."))

    def _stop(self) -> None:
        if self.stopping:
            return
        self.stopping = True
        _say("\n" + _("Stopping the lab and its notebooks ..."))
        self.app.stop(from_signal=True)


def close_doors(web_app: Any) -> None:
    """What jupyter_server leaves open to strangers, or wider than it need be.

    `/lab/api/licenses/` never answers a stranger, so that its connections can be piled up; `/api/security/csp-report`
    lets pages of others write into the log; `/api/notebooks` sends strangers on. Nothing in the lab needs them.
    `/api` tells a stranger the server's version; after this it tells those who have signed in. Pages hold the token for
    their own requests; a cookie does as well, and is not in a page that is saved.
    """
    from jupyter_server.base.handlers import APIVersionHandler
    from tornado.web import authenticated

    class Version(APIVersionHandler):  # type: ignore[misc]  # jupyter_server is read without its types
        @authenticated  # type: ignore[untyped-decorator]  # tornado is read without its types
        def get(self) -> None:
            super().get()

    web_app.settings["token"] = web_app.settings.setdefault("page_config_data", {})["token"] = ""
    for rules in rule_lists(web_app.default_router):
        rules[:] = [rule for rule in rules if getattr(rule.target, "__name__", "") not in NEEDLESS]
        for rule in rules:
            if rule.target is APIVersionHandler:
                rule.target = Version


def admit_only(web_app: Any, names: Iterable[str]) -> None:
    """Answer requests for these host names and addresses only, whatever they ask for.

    A page of somebody else's whose name suddenly leads to this machine (DNS rebinding) is turned away here. ServerApp's
    own list cannot hold addresses, and is off where it listens on every address.
    """
    from tornado.web import ErrorHandler

    allowed = {name.lower() for name in names} | {"localhost", "127.0.0.1", "::1"}
    find_handler = web_app.find_handler

    def guarded(request: Any, **kwargs: Any) -> Any:
        if _host_of(request.headers.get("Host", "")) in allowed:
            return find_handler(request, **kwargs)
        return web_app.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

    web_app.find_handler = guarded


def is_yes(answer: str) -> bool:
    """Whether an answer means yes in one of our languages.

    Example:
        >>> is_yes("y"), is_yes("はい"), is_yes("네"), is_yes("n"), is_yes("")
        (True, True, True, False, False)
    """
    return answer.strip().lower() in {"y", "yes", "はい", "ｙ", "예", "네", "ㅛ"}  # ㅛ: the y key of a Korean keyboard


def _check_packages(ui: str) -> None:
    names = [*NEEDS["lab"], *(NEEDS["notebook"] if ui == "notebook" else ())]
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        raise LabIncomplete(packages=", ".join(missing), python=sys.executable)


def _free_port(ip: str, asked: int | None) -> int:
    """The port that was asked for, or the first free one from 8888 on.

    Raises:
        PortTaken: The port that was asked for is in use or not allowed.
    """
    reason = ""
    for port in (asked,) if asked is not None else range(PORT, PORT + PORTS):
        try:
            if port and _answers(_local_address(ip), port):
                raise OSError(None, _("another program answers there."))
            with socket.create_server((ip, port), family=socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
                return int(probe.getsockname()[1])
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
    raise PortTaken(port=asked if asked is not None else f"{PORT}-{PORT + PORTS - 1}", reason=reason, command=command())


def _answers(ip: str, port: int) -> bool:
    """Some systems let two programs bind one port; the second would never be reached."""
    try:
        socket.create_connection((ip, port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _local_address(ip: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(ip, ip)


def _gone_to_running(folder: Path, lang: str | None) -> bool:
    """Offer a lab that runs for this folder already. True when the person takes it.

    Args:
        folder: The learner's folder.
        lang: The language that the person asked for just now: a lab in another one is not what they want, since its
            menus and its kernels speak that one. None where they asked for none.
    """
    for lab in running.labs():
        if Path(lab.folder) != folder or lang not in (None, lab.lang):
            continue
        _say(_("A lab for this folder is running already:"))
        _show(lab.url)
        sys.stderr.write(_("Enter opens it, n starts a second one: "))
        sys.stderr.flush()
        if _read_line().strip().lower().startswith(("n", "ㅜ")):  # ㅜ: the n key of a Korean keyboard
            return False
        if path := show_in_browser(lab.url, folder):
            time.sleep(3)  # the browser reads the file
            path.unlink(missing_ok=True)
        return True
    return False


def _read_line() -> str:
    """A line from the keyboard, read below Python's buffer: a thread that waits in there blocks Python's exit."""
    line = b""
    with suppress(OSError):
        while not line.endswith(b"\n"):
            part = os.read(sys.stdin.fileno(), 1024)
            if not part:
                break
            line += part
    return line.decode(sys.stdin.encoding or "utf-8", errors="replace")


def rule_lists(router: Any) -> list[list[Any]]:
    """The lists of rules by which the server finds a handler, those of extensions too; to be read, and changed."""
    lists = [router.rules]
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            lists += rule_lists(rule.target)
    return lists


def _host_of(header: str) -> str:
    """The name in a Host header, without its port and brackets."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


class Discreet(logging.Formatter):
    """Leaves out what must stand in no log, whoever wrote it: tornado writes down whole addresses where it fails."""

    def __init__(self, secrets: Sequence[str], **how: Any) -> None:
        super().__init__(**how)
        self.secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        """The line, traceback included."""
        line = super().format(record)
        for secret in self.secrets:
            line = line.replace(secret, "[secret]")
        return line


def _logging(secrets: Sequence[str]) -> dict[str, Any]:
    """Everything to the log file: what the server says is for those who look for a fault."""
    bounded = {  # strangers' requests are written down, and they must not fill the disk
        "class": "logging.handlers.RotatingFileHandler",
        "maxBytes": LOG_BYTES,
        "backupCount": 1,
        ".": {"namer": lambda _name: str(log_file().with_suffix(".old.log"))},
    }
    to_file = {"handlers": ["file"], "level": "WARNING", "propagate": False}
    return {
        "handlers": {
            "file": {
                **({"class": "logging.FileHandler"} if os.name == "nt" else bounded),  # there no open file is renamed
                "formatter": "file",
                "level": "WARNING",
                "filename": str(log_file()),
                "encoding": "utf-8",
                "delay": True,
            }
        },
        "formatters": {
            "file": {
                "()": Discreet,
                "secrets": secrets,
                "fmt": "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s",
            }
        },
        "loggers": dict.fromkeys(("App", "ServerApp", "LabApp", "JupyterNotebookApp"), to_file),
        "root": {"handlers": ["file"], "level": "WARNING"},
    }


def _show(*urls: str) -> None:
    """What the person came for, on standard output."""
    sys.stdout.write("\n" + "".join(f"    {url}\n" for url in urls) + "\n")
    sys.stdout.flush()


def _say(sentence: str) -> None:
    """A message, on standard error."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
