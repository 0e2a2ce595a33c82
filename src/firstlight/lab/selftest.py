"""A newcomer's first quarter of an hour, done by a program: start the lab, run the lesson in its kernel, report.

Nothing of it happens in this process but the asking: the lab is a real one, in a folder and with settings of its own
that are gone afterwards, and the cells run in the kernel that the lab started, over the web socket of a page.
"""

import asyncio
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from firstlight.errors import FirstlightError
from firstlight.lab.folder import LESSON
from firstlight.locale import _, language

PACKAGES = ("firstlight", "torch", "numpy", "jupyterlab", "jupyter-server", "ipykernel", "anywidget", "tornado")
ACCURACY = 0.85  # what the lesson reaches on the embedded data, with room below
START_S = 60
CELL_S = 240
STOP_S = 30
# The best evaluation in the notebook, and the device, asked of the kernel when all cells have run.
ASKED = {
    "accuracy": "max([float(v.accuracy) for v in [*globals().values()] if type(v).__name__ == 'Evaluation'] or [-1])",
    "device": "str(globals().get('device', 'cpu'))",
}


@dataclass
class Report:
    """How it went. What is missing was not reached."""

    problems: list[str] = field(default_factory=list)
    language: str = ""
    platform: str = ""
    processors: int | None = None
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    lab_ready_s: float | None = None
    cells_run: int = 0
    cells: int = 0
    slowest_cell_s: float | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    seconds_per_step: float | None = None
    accuracy: float | None = None
    total_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether all went well."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, **asdict(self)}

    def as_text(self) -> str:
        """For people and bug reports."""
        lines = [
            _("platform: {platform}, {count} processors", platform=self.platform, count=self.processors),
            _("Python: {version}", version=self.python),
            ", ".join(f"{name} {version}" for name, version in self.versions.items()),
        ]
        if self.lab_ready_s is not None:
            lines.append(_("The lab was ready after {seconds:.1f} s.", seconds=self.lab_ready_s))
        lines.append(_("Cells run without an error: {run} of {all}", run=self.cells_run, all=self.cells))
        if self.device:
            lines.append(_("device: {device}", device=self.device))
        if self.seconds_per_step is not None:
            lines.append(_("time for one step: {ms:.1f} ms", ms=1000 * self.seconds_per_step))
        if self.accuracy is not None:
            lines.append(_("accuracy reached: {accuracy:.1%}", accuracy=self.accuracy))
        if self.total_s is not None:
            lines.append(_("The whole took {seconds:.0f} s.", seconds=self.total_s))
        if self.ok:
            return "\n".join([*lines, _("All is well.")])
        return "\n".join([*lines, _("Something is off:"), *(f"- {problem}" for problem in self.problems)])


class _Off(Exception):
    """Something is off, in words; the test cannot go on."""


def selftest(
    *,
    say: Callable[[str], object] = lambda _sentence: None,
    lesson: str = LESSON,
    notebook: Path | None = None,
    accuracy: float = ACCURACY,
) -> Report:
    """Do what a newcomer would, and report.

    Args:
        say: Called with a sentence when something begins.
        lesson: The lesson to run.
        notebook: A notebook to run instead of a lesson.
        accuracy: The accuracy that has to be reached, as a share.

    Returns:
        The report; `ok` says whether all went well, `problems` what did not.
    """
    begun = time.perf_counter()
    report = Report(
        language=language(),
        platform=platform.platform(),
        processors=os.cpu_count(),
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        versions=_versions(),
    )
    with tempfile.TemporaryDirectory(prefix="firstlight-selftest-", ignore_cleanup_errors=True) as temporary:
        try:
            _visit(report, Path(temporary), say, lesson, notebook)
        except _Off as off:
            report.problems.append(str(off))
        except FirstlightError as error:
            report.problems.append(str(error).replace("\n", " "))
    if report.accuracy is not None and report.accuracy < accuracy:
        report.problems.append(
            _(
                "The accuracy is {found:.1%}; on this data it should be at least {needed:.1%}.",
                found=report.accuracy,
                needed=accuracy,
            )
        )
    report.total_s = round(time.perf_counter() - begun, 1)
    return report


def _visit(report: Report, temporary: Path, say: Callable[[str], object], lesson: str, notebook: Path | None) -> None:
    folder = temporary / "lab"
    folder.mkdir()
    words = []
    if notebook is not None:
        (folder / notebook.name).write_bytes(notebook.read_bytes())
        words = ["--notebook", notebook.name]
    say(_("Starting a lab ..."))
    with _Lab(temporary, folder, words) as lab:
        report.lab_ready_s = round(lab.ready_s, 2)
        say(_("Running the lesson in its kernel. This takes a few minutes at most ..."))
        asyncio.run(_run_notebook(report, lab, notebook.name if notebook else f"{lesson}.ipynb"))
    if lab.process.returncode != 0:
        report.problems.append(_("The lab ended with status {status}.", status=lab.process.returncode))
    _read_runs(report, folder / "runs")
    if report.accuracy is None:
        report.problems.append(_("The lesson ran, but no evaluation was found in it."))


class _Lab:
    """A real `firstlight lab` on a folder of the test's own."""

    def __init__(self, temporary: Path, folder: Path, words: list[str]) -> None:
        self.messages = temporary / "messages.txt"
        environment = {**os.environ, "FIRSTLIGHT_HOME": str(temporary / "home"), "FIRSTLIGHT_LANG": language()}
        command = ["lab", "--no-browser", "--port", "0", "--dir", str(folder), *words]
        begun = time.perf_counter()
        with self.messages.open("w", encoding="utf-8") as messages:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "firstlight", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                env=environment,
                text=True,
                encoding="utf-8",
            )
        try:
            self.url = self._wait_for_url()
        except BaseException:
            self._end()
            raise
        self.ready_s = time.perf_counter() - begun
        self.base = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
        self.token = self.url.partition("token=")[2]

    def __enter__(self) -> "_Lab":
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def _wait_for_url(self) -> str:
        found: list[str] = []
        done = threading.Event()

        def read() -> None:
            with contextlib.suppress(ValueError):  # closed when the lab is ended
                for line in self.process.stdout or ():
                    if match := re.search(r"https?://\S+", line):
                        found.append(match[0])
                        done.set()
            done.set()

        threading.Thread(target=read, daemon=True).start()
        done.wait(START_S)
        if not found:
            said = self.messages.read_text(encoding="utf-8").strip().replace("\n", " ")
            raise _Off(_("The lab did not start. It said: {said}", said=said or "-"))
        return found[0]

    def _end(self) -> None:
        if self.process.poll() is None and hasattr(self, "base"):
            with contextlib.suppress(_Off):
                asyncio.run(_fetch(self, "POST", "/api/shutdown"))
        elif self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


async def _run_notebook(report: Report, lab: _Lab, name: str) -> None:
    page = await _fetch(lab, "GET", urlsplit(lab.url).path)
    if b"jupyter-config-data" not in page:
        raise _Off(_("The printed link does not lead to JupyterLab."))
    content = json.loads(await _fetch(lab, "GET", f"/api/contents/{quote(name)}"))["content"]
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    report.cells = len(cells)
    session = await _session(lab, name)
    async with _Kernel(lab, session) as kernel:
        for cell in cells:
            begun = time.perf_counter()
            error = await kernel.run(cell)
            seconds = round(time.perf_counter() - begun, 2)
            report.slowest_cell_s = max(report.slowest_cell_s or 0.0, seconds)
            if error:
                raise _Off(
                    _(
                        "Cell {number} of {all} ended with an error: {error}",
                        number=report.cells_run + 1,
                        all=report.cells,
                        error=error,
                    )
                )
            report.cells_run += 1
        told = await kernel.ask(ASKED)
    report.device = told.get("device")
    accuracy = float(told.get("accuracy", -1))
    report.accuracy = None if accuracy < 0 else accuracy


async def _session(lab: _Lab, name: str) -> dict[str, Any]:
    """The session that the lab opened for the notebook before anyone asked."""
    for _attempt in range(START_S * 5):
        sessions: list[dict[str, Any]] = json.loads(await _fetch(lab, "GET", "/api/sessions"))
        if found := [session for session in sessions if session["path"] == name]:
            return found[0]
        health = json.loads(await _fetch(lab, "GET", "/firstlight/api/health"))
        if not health["ok"]:
            raise _Off(_("The notebook's Python did not start: {reason}", reason=health["reason"]))
        await asyncio.sleep(0.2)
    raise _Off(_("The lab did not open the notebook's kernel."))


class _Kernel:
    """The kernel of a session, over the web socket that a page would use."""

    def __init__(self, lab: _Lab, session: dict[str, Any]) -> None:
        self.lab, self.kernel_id, self.session = lab, session["kernel"]["id"], uuid4().hex
        self.socket: Any = None

    async def __aenter__(self) -> "_Kernel":
        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        url = f"ws{self.lab.base[4:]}/api/kernels/{self.kernel_id}/channels?session_id={self.session}"
        request = HTTPRequest(url, headers={"Authorization": f"token {self.lab.token}"}, connect_timeout=START_S)
        self.socket = await websocket_connect(request, max_message_size=2**28)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.socket.close()
        with contextlib.suppress(asyncio.TimeoutError):
            while await asyncio.wait_for(self.socket.read_message(), 5) is not None:  # None: it is closed
                pass

    async def run(self, cell: dict[str, Any]) -> str | None:
        """Run one cell to its end; the error as text, if it ended with one."""
        tags = cell.get("metadata", {}).get("tags", [])
        content = {"code": "".join(cell["source"]), "silent": False, "store_history": True}
        reply = await self._execute(content, cell.get("id"))
        if reply["status"] == "ok" or "raises-exception" in tags:
            return None
        return _plain(f"{reply.get('ename', reply['status'])}: {reply.get('evalue', '')}")

    async def ask(self, expressions: dict[str, str]) -> dict[str, str]:
        """The values of expressions in the kernel, as text without quotes."""
        content = {"code": "", "silent": True, "store_history": False, "user_expressions": expressions}
        reply = await self._execute(content, None)
        values = reply.get("user_expressions", {})
        return {
            name: value["data"]["text/plain"].strip("'") for name, value in values.items() if value["status"] == "ok"
        }

    async def _execute(self, content: dict[str, Any], cell_id: str | None) -> dict[str, Any]:
        key = uuid4().hex
        header = {"msg_id": key, "session": self.session, "msg_type": "execute_request", "version": "5.3"}
        message = {
            "channel": "shell",
            "header": {**header, "username": "", "date": ""},
            "parent_header": {},
            "metadata": {"cellId": cell_id} if cell_id else {},
            "content": {"allow_stdin": False, "stop_on_error": True, **content},
            "buffers": [],
        }
        await self.socket.write_message(json.dumps(message))
        reply: dict[str, Any] | None = None
        idle = False
        try:
            while reply is None or not idle:
                received = await asyncio.wait_for(self.socket.read_message(), CELL_S)
                if received is None:
                    raise _Off(_("The connection to the kernel broke: it may have run out of memory."))
                if isinstance(received, bytes):  # pictures of a live view
                    continue
                answer = json.loads(received)
                if answer["parent_header"].get("msg_id") != key:
                    if answer["content"].get("execution_state") in ("restarting", "dead"):
                        raise _Off(_("The kernel died: it may have run out of memory."))
                elif answer["msg_type"] == "execute_reply":
                    reply = answer["content"]
                elif answer["msg_type"] == "status":
                    idle = answer["content"]["execution_state"] == "idle"
        except asyncio.TimeoutError as late:
            raise _Off(_("A cell said nothing for {seconds} seconds.", seconds=CELL_S)) from late
        return reply


async def _fetch(lab: _Lab, method: str, path: str) -> bytes:
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest

    request = HTTPRequest(
        lab.base + path,
        method=method,
        headers={"Authorization": f"token {lab.token}"},
        body=b"" if method == "POST" else None,
        request_timeout=START_S,
    )
    try:
        answer = await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)
    except OSError as error:
        raise _Off(_("The lab does not answer: {reason}", reason=error)) from error
    if answer.code >= 400:
        raise _Off(_("The lab answered {path} with status {status}.", path=path, status=answer.code))
    return bytes(answer.body or b"")


def _read_runs(report: Report, folder: Path) -> None:
    from firstlight.run import runs

    for summary in reversed(runs(folder)):
        steps = [point.value for point in summary.open().metric("step_s")]
        row = {"name": summary.name, "status": summary.status, "steps": summary.steps}
        report.runs.append({**row, "seconds_per_step": _median(steps)})
        if summary.status not in ("finished", "running"):
            report.problems.append(
                _("The run {name} did not finish: {status}", name=summary.name, status=summary.status)
            )
    known = [row["seconds_per_step"] for row in report.runs if row["seconds_per_step"]]
    if known:
        report.seconds_per_step = known[-1]
    else:
        report.problems.append(_("The lesson ran, but left no record of a training."))


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "-"
    return found


def _plain(text: str) -> str:
    """Without the colours of a traceback."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
