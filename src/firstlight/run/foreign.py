"""What is asked of a record before it is believed: it may come from anybody, and may be made to do harm.

SQLite does what the file itself says: a view, a computed column or a virtual table in place of a table would have it
compute without end, and pages that point to each other would give rows without end. So a record has our tables and
nothing else, gives no more rows and no more text than its bytes can hold (many rows may share one text there), and no
other kinds of values than we write (https://www.sqlite.org/security.html).
"""

import contextlib
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from firstlight.compat import wants_memory
from firstlight.errors import FirstlightError
from firstlight.locale import _
from firstlight.run.errors import RecordDamaged

# What comes of JSON, and of what it holds, that somebody else wrote.
MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError)

Kind = type | tuple[type, ...]
NUMBER = (int, float)
NULL = type(None)

_LONGEST = 64 << 20  # bytes of one text
_LENGTH = 0  # SQLite's own number for this limit
_SMALLEST = 8  # bytes of a row
_OPERATIONS = 1_000_000  # of SQLite's machine, between two looks at how many there were
_LEAST, _PER_BYTE = 10_000_000, 200  # so many of them one connection may make; a row takes a dozen
_META: dict[str, Kind] = {
    "name": str,
    "status": str,
    "reason": str,
    "started": NUMBER,
    "ended": NUMBER,
    "heartbeat": NUMBER,
    "paused": NUMBER,
    "paused_s": NUMBER,
    "plan": dict,
    "info": dict,
    "environment": dict,
    "process": dict,
    "rested": dict,
}
_PLAN = ("total_steps", "total_epochs", "steps_per_epoch")
_STATUS = ("running", "finished", "stopped", "failed")
_LAST_SECOND = 253_402_300_799  # of the year 9999


def raise_for_memory(error: BaseException) -> None:
    """Raise it again where there was no memory: then nothing is known of what was being read."""
    if wants_memory(error):
        raise error


def check_files(path: Path) -> None:
    """The record and what SQLite keeps beside it are ordinary files: a pipe would be read for ever."""
    real = path.resolve()
    for beside in (real, *(real.with_name(f"{real.name}-{end}") for end in ("wal", "shm", "journal"))):
        if beside.is_symlink() or (beside.exists() and not beside.is_file()):
            raise damaged(beside)


def check_schema(connection: sqlite3.Connection, path: Path, known: Iterable[str]) -> None:
    """Its tables are those that we make, word for word."""
    if hasattr(connection, "setlimit"):  # from Python 3.11 on
        connection.setlimit(_LENGTH, _LONGEST)
    left = (_LEAST + _PER_BYTE * _bytes(path)) // _OPERATIONS

    def too_long() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(too_long, _OPERATIONS)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}")
    ours = set(known)
    for (sql,) in connection.execute("SELECT sql FROM sqlite_master LIMIT 100"):
        if sql is not None and sql not in ours:  # an index that SQLite made by itself has none
            raise damaged(path)


def rows_of(path: Path, cursor: sqlite3.Cursor, kinds: Sequence[Kind] = ()) -> list[tuple[Any, ...]]:
    """All rows, if they and their texts are no more than the file can hold, and if their values are of these kinds.

    A question must not name a text in more rows than the file does, as a join would: it counts each time.
    """
    held = _bytes(path)
    most, letters = held // _SMALLEST, held  # no letter takes less than a byte
    rows: list[tuple[Any, ...]] = []
    known: set[tuple[type, ...]] = set()
    for row in cursor:  # one by one: the next few might be more than fits into the memory
        form = tuple(map(type, row))
        if form not in known:
            if bytes in form or not all(map(issubclass, form, kinds)):
                raise damaged(path)
            known.add(form)
        if str in form:
            letters -= sum(len(value) for value in row if isinstance(value, str))
        if letters < 0 or len(rows) == most:
            raise damaged(path)
        rows.append(row)
    return rows


def check_meta(path: Path, meta: dict[str, Any]) -> dict[str, Any]:
    """What the record says of the run as a whole, if it has the form that we write; without what it says nothing of."""
    meta = {key: value for key, value in meta.items() if value is not None}
    for key, value in meta.items():
        _check(path, key, value, _META.get(key, object))
    for key, value in meta.get("plan", {}).items():
        _check(path, f"plan.{key}", value, (int, NULL) if key in _PLAN else ())
    for key, kind in (("pid", int), ("host", str), ("started", (str, NULL))):
        _check(path, f"process.{key}", meta.get("process", {}).get(key, 0 if kind is int else ""), kind)
    _check(path, "rested.time", meta.get("rested", {}).get("time"), (*NUMBER, NULL))
    if meta.get("status", "running") not in _STATUS:
        raise damaged(path, f"status = {meta['status']!r:.60}")
    return meta


def _check(path: Path, key: str, value: Any, kind: Kind) -> None:
    fits = isinstance(value, kind)
    if fits and kind in (NUMBER, (*NUMBER, NULL), (int, NULL)) and value is not None:
        fits = not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= _LAST_SECOND
    if not fits:
        raise damaged(path, f"{key} = {value!r:.60}")


@contextlib.contextmanager
def believed(path: Path) -> Iterator[None]:
    """Where what the record holds is put together: other things in their place are damage of the record."""
    try:
        yield
    except FirstlightError:
        raise
    except MALFORMED as error:
        raise damaged(path, repr(error)[:200]) from error


def is_summary(value: Any) -> bool:
    """Whether it is what we write of all metrics at the end of a run."""
    return isinstance(value, dict) and all(
        isinstance(entry, dict)
        and all(type(entry.get(key)) is int for key in ("count", "step"))
        and isinstance(entry.get("last"), NUMBER)
        and all(isinstance(entry.get(key, ""), (*NUMBER, type(None))) for key in ("low", "high"))
        for entry in value.values()
    )


def damaged(path: Path, reason: str = "") -> RecordDamaged:
    """The error that names the file and why."""
    return RecordDamaged(file=str(path), reason=reason or _("it is not a record of firstlight"))


def _bytes(path: Path) -> int:
    found = 0
    for name in (path.name, f"{path.name}-wal"):
        try:
            found += path.with_name(name).stat().st_size
        except OSError:
            continue
    return found
