"""How far a long piece of work is: one line that renews itself, in a terminal and in a notebook."""

import sys
import time
from types import TracebackType
from typing import Any

from firstlight.locale import _, say
from firstlight.locale.units import size
from firstlight.picture import in_notebook


class Progress:
    """Says how far the work is, at most a few times a second, on standard error or below the notebook cell.

    Where standard error is a file, only the first and the last line are written.

    Args:
        title: What is being done.
        total: How much there is to do; None where nobody knows.
        quiet: Say nothing.
        counts_bytes: Amounts are bytes, shown in kB, MB or GB; otherwise they are things.
    """

    def __init__(self, title: str, total: int | None, *, quiet: bool = False, counts_bytes: bool = True) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self.counts_bytes = counts_bytes
        self._quiet = quiet
        self._start = self._said = time.monotonic()
        self._first = 0  # what was there before: it must not count for the speed
        self._handle: Any = None
        self._where = "nowhere" if quiet else "notebook" if in_notebook() else _stream()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._where == "terminal":
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if kind is None and self._where != "nowhere":
            seconds = f"{time.monotonic() - self._start:.0f}"
            self._write(_("{title}: done in {seconds} s", title=self.title, seconds=seconds), last=True)

    def resume_at(self, amount: int) -> None:
        """Start counting from what an earlier attempt left."""
        self.done = self._first = amount
        self._start = time.monotonic()

    def advance(self, amount: int) -> None:
        """So much more is done."""
        self.done += amount
        now = time.monotonic()
        if self._where == "nowhere" or (self._where == "file" and self._said > self._start):
            return
        if now - self._said >= (0.5 if self._where == "notebook" else 0.1):
            self._said = now
            self._write(self.line())

    def line(self) -> str:
        """The line as it stands now, with the time that is left."""
        spent = max(time.monotonic() - self._start, 1e-6)
        speed = (self.done - self._first) / spent
        values: dict[str, object] = {"title": self.title, "done": self._amount(self.done), "speed": self._amount(speed)}
        if not self.total:
            return _("{title}: {done}, {speed}/s", **values)
        values |= {"total": self._amount(self.total), "percent": f"{100 * self.done // self.total}"}
        if speed <= 0:
            return _("{title}: {percent} % of {total}", **values)
        values["left"] = _clock((self.total - self.done) / speed)
        return _("{title}: {percent} % of {total}, {speed}/s, {left} left", **values)

    def _amount(self, value: float) -> str:
        return size(value) if self.counts_bytes else f"{value:,.0f}"

    def _write(self, line: str, *, last: bool = False) -> None:
        if self._where == "notebook":
            from IPython.display import display

            data = {"text/plain": line}
            if self._handle is None:
                self._handle = display(data, raw=True, display_id=True)
            else:
                self._handle.update(data, raw=True)
        elif self._where == "terminal" and not last:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            say(line, sys.stderr)


def note(line: str, *, quiet: bool = False) -> None:
    """One line beside the work, on standard error."""
    if not quiet:
        say(line, sys.stderr)


def _stream() -> str:
    return "terminal" if sys.stderr is not None and sys.stderr.isatty() else "file" if sys.stderr else "nowhere"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
