"""Why a kernel ended when nobody asked it to: seen from the server, told below the cell that ran.

Other parts of firstlight can offer what to do next: a function in `offers` is asked with the `Death` and gives
`Action`s, each a button that puts code into a new cell below and runs it.
"""

import math
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

from firstlight.lab.lastwords import path_of_cell
from firstlight.locale import Text, _
from firstlight.locale.units import size

Cause = Literal["memory", "openmp", "killed", "crash", "ended"]

MEMORY = Text(
    what="The notebook's Python was ended by the system: the memory was full. It held {held}.",
    why="Where memory runs out, the system ends a large program at once. What stood in variables is gone; the notebook "
    "and the records of your runs are kept.",
    do="Run the cells again from the top and use less: a smaller batch, or loss.item() where losses are collected. "
    "fl.memory(model, images) says beforehand what a step needs.",
)
OPENMP = Text(
    what="The notebook's Python was ended by its OpenMP library (OMP: Error #15): a second copy of it was loaded.",
    why="Two packages brought a copy each, often because one came with conda and the other with pip. Two copies in one "
    "process can compute wrong results, so the second one ends it.",
    do="Install both packages from one source; in a new environment that has only pip's, the clash is gone.",
)
KILLED = Text(
    what="The notebook's Python was ended from outside ({signal}). It held {held}; {free} of memory were free.",
    why="A person, a program that watches over this machine, or its limit on memory did that. What stood in variables "
    "is gone; the notebook and the records of your runs are kept.",
    do="Run the cells again from the top. If it ends at the same place again, try a smaller batch.",
)
CRASH = Text(
    what="The notebook's Python crashed ({signal}).",
    why="A package did something in compiled code that the system does not allow; Python code alone cannot. What stood "
    "in variables is gone; the notebook and the records of your runs are kept.",
    do="Run the cells again from the top. If it crashes again, the last line below that ran says which package to "
    "update or to call otherwise.",
)
ENDED = Text(
    what="The notebook's Python ended itself (exit code {code}).",
    why="exit(), os._exit() or a package did that. What stood in variables is gone; the notebook and the records of "
    "your runs are kept.",
    do="Take the call out and run the cells again from the top.",
)
LAST_WORDS = 4_000  # characters of what it wrote while it crashed
ENDING_S = 5.0  # a large process is still there for a while after it was counted as ended


@dataclass(frozen=True)
class Action:
    """What a person may do next, with one click: code that is put into a new cell and run."""

    label: str
    code: str


@dataclass(frozen=True)
class Death:
    """The end of a kernel that nobody had asked for."""

    kernel: str
    pid: int
    code: int | None  # of the process: a signal's number below zero, where there was one
    memory_was_full: bool  # the system says that it ended a process for want of memory
    held_bytes: int  # the most that it was seen to hold
    free_bytes: int  # of the machine, a moment before
    words: str = ""  # what it wrote at the end
    cell: str = ""  # the one that ran, or ran last; empty where it is not known

    @property
    def cause(self) -> Cause:
        """What ended it.

        Example:
            >>> Death("", 1, -9, memory_was_full=True, held_bytes=1, free_bytes=1).cause
            'memory'
        """
        if "OMP: Error #15" in self.words:
            return "openmp"
        if self.code == -_number("SIGKILL"):
            nearly_full = self.free_bytes < self.held_bytes / 20
            return "memory" if self.memory_was_full or nearly_full else "killed"
        if "bad_alloc" in self.words:
            return "memory"
        if self.code in {-_number("SIGTERM"), -_number("SIGINT"), -_number("SIGHUP"), None}:
            return "killed"
        is_crash = self.code < 0 or self.code >= 0xC0000000  # so does Windows count
        return "crash" if is_crash else "ended"


offers: list[Callable[[Death], list[Action]]] = []


def bundle(death: Death, kind: str) -> dict[str, Any]:
    """What stands below the cell: for pages with `page/survive.js`, for others, and for a reader of plain text.

    Args:
        death: What is known.
        kind: The MIME type of the first form.
    """
    text = {"memory": MEMORY, "openmp": OPENMP, "killed": KILLED, "crash": CRASH, "ended": ENDED}[death.cause]
    sentences = text.fill(
        signal=_signal_name(death.code), code=death.code, held=size(death.held_bytes), free=size(death.free_bytes)
    ).split("\n")
    actions = [action for offer in offers for action in offer(death)]
    words = death.words[-LAST_WORDS:].strip() if death.cause == "crash" else ""
    listed = "".join(f"<li>{escape(one.label)}: <code>{escape(one.code)}</code></li>" for one in actions)
    html = (
        f'<div role="alert"><p><strong>{escape(sentences[0])}</strong></p><p>{escape(sentences[1])}</p>'
        f"<p>{escape(sentences[2])}</p>"
        + (f"<ul>{listed}</ul>" if listed else "")
        + (
            f"<details><summary>{escape(_('Its last words'))}</summary><pre>{escape(words)}</pre></details>"
            if words
            else ""
        )
        + "</div>"
    )
    told = {
        "cause": death.cause,
        "sentences": sentences,
        "actions": [{"label": one.label, "code": one.code} for one in actions],
        "words": words,
        "words_title": _("Its last words"),
    }
    return {
        kind: told,
        "text/html": html,
        "text/plain": "\n".join([*sentences, *(one.code for one in actions), words]).strip(),
    }


class Witness:
    """Looks at a kernel's process every second, so that there is something to say when it has gone."""

    def __init__(self, kernel: str, pid: int, words: Path) -> None:
        self.kernel, self.pid, self._words = kernel, pid, words
        self._held = self._free = 0
        self._counters = _counters(pid)
        self._counts: dict[Path, int] = {}
        self._rose: dict[Path, float] = {}  # when a look found a count higher than the look before
        self._count()

    def look(self) -> None:
        """See how the process fares."""
        import psutil

        with suppress(psutil.Error, OSError):
            self._held = max(self._held, psutil.Process(self.pid).memory_info().rss, _most_held(self.pid))
            self._free = int(psutil.virtual_memory().available)
        self._counters = _counters(self.pid)  # it may have been put into another group
        self._count()

    def tell(self, code: int | None) -> Death:
        """It has gone."""
        self._count()
        return Death(
            self.kernel,
            self.pid,
            code,
            memory_was_full=self._memory_was_full(),
            held_bytes=self._held,
            free_bytes=self._free,
            words=self._last_words(),
            cell=self._last_cell(),
        )

    def _count(self) -> None:
        for file in self._counters:
            count = _killed_for_memory(file)
            if count is not None:
                if count > self._counts.get(file, count):
                    self._rose[file] = time.monotonic()
                self._counts[file] = count

    def _memory_was_full(self) -> bool:
        """Whether a process was ended for want of memory just now. What was hours ago, a browser, says nothing."""
        for file in self._counters:
            if _killed_for_memory(file) is not None:  # else its group has gone with it
                return time.monotonic() - self._rose.get(file, -math.inf) < ENDING_S
        return False

    def _last_cell(self) -> str:
        with suppress(OSError):
            return path_of_cell(self._words).read_text(encoding="utf-8", errors="replace")
        return ""

    def _last_words(self) -> str:
        try:
            with self._words.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_WORDS * 4))
                said = file.read().decode(errors="replace")
        except OSError:
            return ""
        return re.sub(r"/\S*/ipykernel_\d+/\d+\.py", "<cell>", said)


def _number(name: str) -> int:
    return int(getattr(signal, name, 0)) or 10_000  # Windows lacks some


def _signal_name(code: int | None) -> str:
    try:
        return signal.Signals(-(code or 0)).name
    except ValueError:
        return str(code)


def _most_held(pid: int) -> int:
    """The high-water mark, where the system keeps one: a second between two looks is long."""
    with suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return 0


def _counters(pid: int, root: Path = Path("/")) -> list[Path]:
    """The files that count processes which the system ended for want of memory: of this one's group, of the machine.

    A group counts each of its processes that was ended so, whether its own limit was reached or the machine was full.
    """
    files, groups = [], root / "sys" / "fs" / "cgroup"
    with suppress(OSError, ValueError):
        for line in (root / "proc" / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines():
            controllers, group = line.split(":", 2)[1:]
            own = group.strip("/")
            if "memory" in controllers.split(","):
                files.append(groups / "memory" / own / "memory.oom_control")
            elif not controllers and ".." not in Path(own).parts:  # version 2: those around it count for it, too
                around = [
                    folder for folder in (groups / own, *(groups / own).parents) if groups in (folder, *folder.parents)
                ]
                files += [folder / "memory.events" for folder in around]
    found = [file for file in files if _killed_for_memory(file) is not None]
    return [*found[:1], root / "proc" / "vmstat"]


def _killed_for_memory(file: Path) -> int | None:
    """How many processes such a file counts; None where it is not there, or counts none."""
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None
