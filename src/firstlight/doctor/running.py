"""Examining a program: it is run in a process of its own, with its own arguments, and what was heard is examined."""

import ast
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.run import Run
from firstlight.run.foreign import MALFORMED

if TYPE_CHECKING:
    from firstlight.doctor.report import Report

_MOST_OF_A_NOTEBOOK, _MOST_OF_A_SCRIPT = 40_000_000, 4_000_000  # bytes; what they are taken apart into is far more
_GRACE_S = 10.0  # to put its findings together once it was asked to end


class NotAProgram(FirstlightError, ValueError):
    """The file is neither Python nor a notebook."""

    text = Text(
        what="{name} cannot be run: {error}",
        why="The doctor runs Python scripts (.py) and notebooks (.ipynb).",
        do="Give the file that you would run yourself; python {name} shows the same error.",
    )


@dataclass(frozen=True)
class Examined:
    """What became of a program.

    Attributes:
        report: The findings.
        how: How it ended: `finished`, `exit`, `failed`, `interrupted`, `timeout`, `killed`, or `static` (not run).
        status: Its exit status.
        detail: The exception's last line, where one ended it.
    """

    report: "Report"
    how: str = "static"
    status: int = 0
    detail: str = ""
    run: Run = field(default_factory=Run)

    def as_json(self) -> dict[str, Any]:
        """The report, and how the program ended."""
        return {**self.report.as_json(), "ended": {"how": self.how, "status": self.status, "detail": self.detail}}

    def sentence(self) -> str:
        """How it ended, where that is not by itself; else empty."""
        if self.how == "failed":
            return _("The program ended with an error: {error}", error=self.detail)
        if self.how == "timeout":
            return _("The time was up: the program was stopped. What it did until then was examined.")
        if self.how == "interrupted":
            return _("The program was interrupted. What it did until then was examined.")
        if self.how == "killed":
            return _("The program ended without a word ({status}): only its text was examined.", status=self.status)
        return ""


def examine_program(
    file: Path,
    arguments: Sequence[str] = (),
    *,
    static: bool = False,
    timeout: float | None = None,
    quiet: bool = False,
) -> Examined:
    """Run a script or a notebook, and say what is wrong with its training.

    It runs as it would by itself: its own arguments, output and folder. A process of its own keeps what it breaks away
    from us; when it ends, so do the processes that it started.

    Args:
        file: The script or notebook.
        arguments: For the script.
        static: Only read it, run nothing.
        timeout: Seconds after which it is stopped, None for no limit.
        quiet: Whether its output goes to standard error, so that ours stands alone on standard output.

    Raises:
        NotAProgram: Where the file is no Python and no notebook.
    """
    units = _read(file)
    if static:
        return Examined(_examined(_record([[0, "code", units]])))
    with tempfile.TemporaryDirectory(prefix="firstlight-doctor-") as folder:
        out = Path(folder) / "heard.json"
        how, status = _run(file, arguments, out, timeout, quiet=quiet)
        try:
            heard = json.loads(out.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            heard = {"facts": [[0, "code", units]], "ended": {"how": "killed", "status": status, "detail": ""}}
    ended = heard["ended"]
    run = _record(heard["facts"])
    return Examined(_examined(run), how or ended["how"], ended["status"], ended["detail"], run)


def _examined(run: Run) -> "Report":
    from firstlight.doctor.examining import examined
    from firstlight.doctor.rules import all_rules

    return examined(run, all_rules())


def _load() -> None:
    """What examines needs PyTorch: it is loaded while the program loads it too."""
    import_module("firstlight.doctor.rules").all_rules()


def _record(facts: list[list[Any]]) -> Run:
    run = Run()
    for step, kind, data in facts:
        run.add_fact(step, kind, data)
    return run


def _read(file: Path) -> list[dict[str, Any]]:
    """The program as the fact `code` holds it."""
    try:
        if file.stat().st_size > (_MOST_OF_A_NOTEBOOK if file.suffix == ".ipynb" else _MOST_OF_A_SCRIPT):
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            cells = in_order(json.loads(text)["cells"])
            if sum(map(len, cells)) > _MOST_OF_A_SCRIPT:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return [{"file": f"<cell {at}>", "text": code, "cell": at} for at, code in enumerate(cells, start=1)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (OSError, SyntaxError, MemoryError, *MALFORMED) as error:
        raise NotAProgram(name=file.name, error=str(error) or type(error).__name__) from None
    return [{"file": str(file), "text": text, "cell": None}]


def in_order(cells: list[dict[str, Any]]) -> list[str]:
    """The code of a notebook's cells in the order of their execution numbers; those without one where they stand.

    Example:
        >>> cells = [{"cell_type": "code", "source": word, "execution_count": at} for word, at in (("b", 2), ("a", 1))]
        >>> in_order(cells)
        ['a', 'b']
    """
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    texts = [cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"]) for cell in code]
    counts = [cell.get("execution_count") for cell in code]
    numbered = [count for count in counts if isinstance(count, int)]
    if len(numbered) < len(code) or len(set(numbered)) < len(numbered):
        return [text for text in texts if text.strip()]
    ordered = sorted(zip(numbered, texts, strict=True))
    return [text for _count, text in ordered if text.strip()]


def _run(file: Path, arguments: Sequence[str], out: Path, timeout: float | None, *, quiet: bool) -> tuple[str, int]:
    """Run it to its end or to ours; gives `timeout` or an empty text, and the exit status."""
    # A child that is no part of the terminal's foreground cannot ask the person anything.
    stdin = subprocess.DEVNULL if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty() else None
    sys.stdout.flush()
    process = subprocess.Popen(
        [sys.executable, "-m", "firstlight.doctor.child", str(out), str(file), *arguments],
        stdin=stdin,
        stdout=sys.stderr if quiet else None,
        start_new_session=os.name == "posix",
    )
    how = ""
    threading.Thread(target=_load, daemon=True).start()
    try:
        try:
            process.wait(timeout)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            how = "interrupted" if isinstance(error, KeyboardInterrupt) else "timeout"
            with contextlib.suppress(OSError, ValueError):
                process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                process.wait(_GRACE_S)
    finally:
        _end(process)
    return how, process.returncode


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it and what it has started: nothing is left behind."""
    started: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        started = psutil.Process(process.pid).children(recursive=True)
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # its session: also what outlived its parent
    for one in started:
        with contextlib.suppress(psutil.Error):
            one.kill()
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
