"""A run that goes on in another process, seen from here: in a terminal, or line by line in a file.

Its record is only read, a few times a second; the process that trains does not notice. No torch is needed. What a page
in the browser shows comes from the same `Following` (`page.py`).
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _, say
from firstlight.run import RecordDamaged, RecordNotFound, RunList, runs
from firstlight.run.points import Row
from firstlight.run.record import SavedRun
from firstlight.run.store import FILE
from firstlight.view.state import Board
from firstlight.view.terminal import Lines, Terminal, _lines

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_S = 0.2  # the writer's rhythm is half a second: more often would show nothing more
META_S = 0.5  # how often to ask what the run says of itself, and whether its process is there
CATCH_UP_S = 0.2  # of a long record, as much is read at once before it is shown
LAST_WORDS_S = 2.0  # a writer that said "finished" has its last points on disk by then
CHUNK = 5_000
BIRTH_S = 1.0  # a file that is younger may be a record that is not whole yet


class RunUnknown(FirstlightError, LookupError):
    """No run has this name or number."""

    text = Text(
        what="There is no run {word}.",
        why="A run is called by its name, by its number in the list, or by its folder. The newest are: {known}.",
        do="Choose one of those that this lists: firstlight runs",
    )


class NoRuns(FirstlightError, LookupError):
    """Nothing was trained yet, or elsewhere."""

    text = Text(
        what="There is no run in {folder}.",
        why="A run appears there once a training begins with fl.fit or fl.watch.",
        do="Start one, or name its folder: firstlight watch FOLDER",
    )


def find_run(word: str | None, places: "Sequence[Path]") -> Path:
    """The folder of the run that a person means.

    Args:
        word: A run's folder, its name (of several the newest), its number in the list, or None for the newest run.
        places: Folders of runs.

    Raises:
        RunUnknown: None of them is called so.
        NoRuns: There is none at all.

    Example:
        >>> import tempfile
        >>> from firstlight.run import Run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Run.start("first", folder=folder).finish()
        ...     Run.start("second", folder=folder).finish()
        ...     for word in (None, "first", "1"):
        ...         find_run(word, [Path(folder)]).name.rpartition("-")[2]
        'second'
        'first'
        'first'
    """
    if word is not None:
        folder = Path(word).expanduser()
        if folder.name == FILE:
            folder = folder.parent
        if (folder / FILE).exists() or len(folder.parts) > 1:  # a path, right or wrong: the list is not asked
            return folder
    found = runs_in(places)
    if not found:
        raise NoRuns(folder=", ".join(map(str, places)))
    if word is None:
        return found[0].folder
    for run in found:
        if word in (run.name, run.folder.name):
            return run.folder
    if word.isdecimal() and int(word) < len(found):
        return found[int(word)].folder
    known = ", ".join(dict.fromkeys(run.name for run in found[:8]))
    raise RunUnknown(word=word, known=known)


def runs_in(places: "Sequence[Path]") -> RunList:
    """The runs of several folders, the newest first: the order in which their numbers count."""
    return RunList(sorted((run for place in places for run in runs(place)), key=lambda run: run.started, reverse=True))


class FollowedRun(SavedRun):
    """A run of another process that is read when `look` says so; between two looks it answers from memory."""

    def __init__(self, folder: Path) -> None:
        self.behind = False  # whether more was on disk than the last reading took
        self.is_whole = False  # whether the writer has nothing more to write
        super().__init__(folder)

    def look(self) -> None:
        """Read what the run says of itself now."""
        self._refresh(self._reader.meta())

    def points_since(self, cursor: int) -> tuple[list[Row], int]:
        """At most `CHUNK` points that came to disk after `cursor`: a long record is read piece by piece."""
        found, cursor = self._newer(cursor, CHUNK)
        self.behind = len(found) == CHUNK
        return found, cursor

    @property
    def is_complete(self) -> bool:
        """Whether it rests where its plan is reached: done, though its notebook is still open."""
        planned = self.plan.steps
        return self.status == "resting" and planned is not None and self.steps >= planned

    def _follow(self) -> None:
        """Nothing: `look` says when to read."""

    def _refresh(self, meta: dict[str, object]) -> None:
        super()._refresh(meta)
        self.is_whole = self.ended is not None and ("summary" in meta or self._status == "died")


class FollowedBoard(Board):
    """The state of a followed run, with words for an end that only others see."""

    def _status_text(self, status: str) -> str:
        return _("Died: its process ended without a word") if self._is_dead else super()._status_text(status)

    def _notice(self) -> str:
        if self._is_dead:
            return _("What was noted until then is here. A kill, a crash or a power cut ends a process like that.")
        if self.run.status == "failed" and self.run.reason:
            return self.run.reason
        return super()._notice()

    @property
    def _is_dead(self) -> bool:
        return self.run.status == "died"


class Following:
    """One run of another process and the board that shows it, brought up to date by `look`. For one thread at a time.

    Args:
        folder: The run's folder.

    Attributes:
        run: The record.
        board: What views draw.

    Raises:
        RecordNotFound: When the folder holds no record.
        RecordTooNew: When a later firstlight wrote it.
        RecordDamaged: When the file is not a whole record.
    """

    def __init__(self, folder: Path) -> None:
        self.run = _opened(folder)
        self.board = FollowedBoard(self.run)
        self._file = folder / FILE
        self._asked_at = time.monotonic()
        self._ended_at: float | None = None

    def look(self) -> bool:
        """Take in what is new on disk, of a long record only as much as goes quickly; whether there was anything.

        Raises:
            RecordNotFound: When the record was taken away.
            RecordDamaged: When it cannot be read any more.
        """
        begun = time.monotonic()
        if not self._file.is_file():  # SQLite would only say that it cannot open it
            raise RecordNotFound(folder=str(self._file.parent))
        before = self.run.status
        if begun - self._asked_at >= META_S:
            self._asked_at = begun
            self.run.look()
        if before != "running" and self.run.status == "running":
            self.board.forget_pace()  # the time in which the loop was left says nothing about its speed
        if self.run.ended is None:
            self._ended_at = None
        elif self._ended_at is None:
            self._ended_at = begun
        is_new = self.board.gather()
        while self.run.behind and time.monotonic() - begun < CATCH_UP_S:
            self.board.gather()
        return is_new or self.run.status != before

    def is_over(self) -> bool:
        """Whether all is on the board and nothing more will come."""
        if self.run.behind:
            return False
        if self.run.ended is None:
            return self.run.is_complete
        waited = time.monotonic() - (self._ended_at if self._ended_at is not None else time.monotonic())
        return self.run.is_whole or waited > LAST_WORDS_S


def show_once(following: Following, stream: TextIO | None = None) -> None:
    """Write the state of a run as it is now.

    Args:
        following: The run.
        stream: Where; else standard output. A terminal gets the lines of the live view, anything else one line.
    """
    stream = stream or sys.stdout
    _catch_up(following)
    board = following.board
    if stream.isatty():
        from rich.console import Console

        console = Console(file=stream)
        console.print(_lines(board, console.width))
    else:
        state = board.state()
        for line in (state["said"], state["notice"]):
            if line:
                say(line, stream)
    stream.flush()


def follow(following: Following, stream: TextIO | None = None, *, left: Callable[[], bool] = lambda: False) -> None:
    """Show a run until it ends, as the process that trains would show it. Ctrl-C passes through as `KeyboardInterrupt`.

    Args:
        following: The run.
        stream: Where; else standard output. A terminal gets lines that move, anything else a line now and then.
        left: Asked many times a second: whether the person wants no more of it.
    """
    stream = stream or sys.stdout
    _catch_up(following, left)
    board = following.board
    if following.is_over():
        show_once(following, stream)
        return
    screen: Terminal | Lines = Terminal(stream) if stream.isatty() else Lines(stream)
    if isinstance(screen, Lines):
        screen.rest(board)  # a line at once says that it works
    try:
        while not (following.is_over() or left()):
            screen.show(board)
            time.sleep(LOOK_S)
            following.look()
        screen.show(board)
    finally:
        screen.rest(board)
    if left():
        return
    notice = board.state()["notice"]
    if board.step < 0:
        show_once(following, stream)  # the screens wait for a first step, which never came
    elif notice and isinstance(screen, Lines):
        say(notice, stream)  # lines have no room for it
    stream.flush()


def _opened(folder: Path) -> FollowedRun:
    """The record; one that is being made at this very moment is waited for."""
    while True:
        try:
            return FollowedRun(folder)
        except RecordDamaged:
            if time.time() - (folder / FILE).stat().st_mtime > BIRTH_S:
                raise
            time.sleep(0.05)


def _catch_up(following: Following, left: Callable[[], bool] = lambda: False) -> None:
    following.look()
    while following.run.behind and not left():
        following.look()
