"""The live view where there are only letters: one moving line in a terminal, a line now and then in a log file."""

import sys
import time
from typing import TYPE_CHECKING, TextIO

from firstlight.locale import say
from firstlight.view.state import Board, still_curves

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text as RichText

REDRAW_S = 0.2
LINE_EVERY_S = 10.0
LINE_SELDOM_S = 2.0  # short epochs do not each get a line
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24
_SHORTEST = 8  # letters of the bar where the words beside it leave little room
_BETWEEN = " · "


def sparkline(values: list[float], width: int = WIDTH) -> str:
    """A curve in one line of letters.

    Shape:
        values: (N,)
        returns: at most `width` letters

    Example:
        >>> sparkline([0.0, 1.0, 2.0, 3.0])
        '▁▃▆█'
    """
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in values)


class Terminal:
    """Lines at the bottom of the terminal: progress, numbers with the loss curve, an alarm; two where they fit.

    Args:
        stream: Where to draw; else standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._live: RichLive | None = None
        self._drawn_at = 0.0

    def begin(self, board: Board) -> None:
        """Wait for the first step: a script that never trains shows nothing."""

    def show(self, board: Board) -> None:
        """Draw, a few times a second; what the script prints appears above."""
        now = time.monotonic()
        if board.step < 0 or now - self._drawn_at < REDRAW_S:
            return
        self._drawn_at = now
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream or sys.stderr)
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        self._live.update(_lines(board, self._live.console.width), refresh=True)

    def rest(self, board: Board) -> None:
        """Leave the last state standing."""
        live, self._live = self._live, None
        if live is not None:
            live.update(_lines(board, live.console.width), refresh=True)
            live.stop()


class Lines:
    """Standard error that is no terminal: a line after each epoch, or each ten seconds, but never many.

    Args:
        stream: Where to write; else standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._written_at = time.monotonic()
        self._epoch = 0
        self._last = ""

    def begin(self, board: Board) -> None:
        """Nothing to say yet."""

    def show(self, board: Board) -> None:
        """Write a line when there is something new to say, and not often."""
        waited = time.monotonic() - self._written_at
        per_epoch = board.run.plan.steps_per_epoch
        epoch = (board.step + 1) // per_epoch if per_epoch else 0
        if board.step >= 0 and (waited >= LINE_EVERY_S or (epoch > self._epoch and waited >= LINE_SELDOM_S)):
            self._written_at, self._epoch = time.monotonic(), epoch
            self._write(board)

    def rest(self, board: Board) -> None:
        """The last line, complete."""
        if board.step >= 0:
            self._write(board, looked=True)

    def _write(self, board: Board, *, looked: bool = False) -> None:
        line = board.state()["said"]
        if looked and (found := board.looked()):
            line = f"{line}{_BETWEEN}{found}"
        if line != self._last:
            self._last = line
            stream = self._stream or sys.stderr
            say(line, stream)
            stream.flush()


def _lines(board: Board, width: int) -> "RichText":
    """The state in lines that fit a terminal of this width: what does not fit goes to the next line, whole."""
    from rich.text import Text as RichText

    state = board.state()
    share = state["progress"]["share"]
    said = [RichText(state["status_text"], "bold")]
    progress = [*state["progress"]["text"].split(_BETWEEN), state["progress"]["left"]]
    said += [RichText(part, "bright_black") for part in progress if part]
    if share is not None and state["status"] in ("running", "pausing", "paused", "stopping"):
        room = width - sum(part.cell_len for part in said) - len(_BETWEEN) * (len(said) - 1) - 1
        length = max(_SHORTEST, min(WIDTH, room))
        full = round(share * length)
        said[0] = RichText("━" * full, "blue").append("━" * (length - full) + " ", "bright_black").append(said[0])
    values = []
    curves = still_curves(board)
    for chart in state["charts"]:
        for curve in chart["curves"]:
            line = [value for _step, value in curves.get(curve["key"], [])]
            part = RichText(f"{chart['title']} ({curve['label']}) ").append(curve["value"], "bold")
            if chart is state["charts"][0] and curve["split"] == "train" and len(line) > 1:
                room = max(_SHORTEST, min(WIDTH, width - part.cell_len - 1))
                part = RichText(sparkline(line, room) + " ", "blue").append(part)
            values.append(part)
    numbers = [RichText(f"{number['label']} {number['value']}", "bright_black") for number in state["numbers"]]
    lines = [*_filled(said, width), *_filled([*values, *numbers], width, between="  ")]
    looks = [RichText(part, "bright_black") for part in board.looked().split(_BETWEEN) if part]
    lines += _filled(looks, width)
    if state["notice"]:
        lines.append(RichText(state["notice"], "bold red"))  # a sentence: it breaks where the terminal breaks it
    return RichText("\n").join(lines)


def _filled(parts: "list[RichText]", width: int, between: str = _BETWEEN) -> "list[RichText]":
    """Parts side by side, as many in each line as fit. Chinese, Japanese and Korean characters take two places."""
    lines: list[RichText] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(between) + part.cell_len <= width:
            lines[-1].append(between, "bright_black").append(part)
        else:
            lines.append(part.copy())
    return lines
