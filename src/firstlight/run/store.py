"""The record on disk: one SQLite file per run, written by one background thread, read by anybody at any time.

Write-ahead logging lets other processes read while we write, and a process that is killed loses only what its writer
had not yet written: at most the last flush interval. `docs/run.md` describes the tables.
"""

import contextlib
import ctypes
import math
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firstlight.locale import _, say
from firstlight.run import process
from firstlight.run.errors import RecordDamaged, RecordNotFound, RecordNotSaved, RecordTooNew, RunGoesOn
from firstlight.run.foreign import MALFORMED, NULL, NUMBER, Kind, check_files, check_meta, check_schema, rows_of
from firstlight.run.points import Points
from firstlight.run.values import from_json, to_json

FILE = "run.sqlite"
FORMAT = 1  # in PRAGMA user_version
FLUSH_S = 0.5  # a killed process loses at most this much
_APPLICATION = 0x464C5247  # "FLRG"; tells file(1) and us whose SQLite file this is
_RETRY_S = 5.0  # after a write that failed
_HEARTBEAT_S = 5.0
_SILENCE_S = 60.0  # a writer on another machine that was silent for so long is taken for dead
_CHUNK = 2000  # points per transaction
_ROWS_PER_INSERT = 200  # 4 parameters each: under SQLite's oldest limit of 999
_PENDING = 200_000  # operations, facts and findings that wait at most while the disk takes nothing

_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE points (id INTEGER PRIMARY KEY, metric INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, "
    "time REAL NOT NULL)",
    "CREATE TABLE operations (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, data TEXT NOT NULL)",
    "CREATE INDEX operations_step ON operations (step)",
    "CREATE TABLE facts (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, "
    "time REAL NOT NULL)",
    "CREATE INDEX facts_kind ON facts (kind)",
    "CREATE TABLE findings (id INTEGER PRIMARY KEY, step INTEGER, code TEXT NOT NULL, data TEXT NOT NULL, "
    "time REAL NOT NULL)",
)
COLUMNS = {
    "operations": ("step", "data"),
    "facts": ("step", "kind", "data", "time"),
    "findings": ("step", "code", "data", "time"),
}


class Kept(NamedTuple):
    """How much of a record is kept when its run is taken up again: what was there at a checkpoint.

    Attributes:
        points: How many numbers.
        step: Optimizer steps.
        time: Seconds since 1970.
        duration: Seconds that the run had taken.
    """

    points: int
    step: int
    time: float
    duration: float


KINDS: dict[str, tuple[Kind, ...]] = {
    "operations": (int, str),
    "facts": (int, str, str, NUMBER),
    "findings": ((int, NULL), str, str, NUMBER),
}

_stores: weakref.WeakSet["Store"] = weakref.WeakSet()
_fork_watched = False


class Store:
    """Writes one run's record. Every method returns at once except `flush` and `close`.

    Args:
        folder: The run's folder, which exists.
        points: The run's metrics; the thread takes from them what it has not yet written.
        meta: First entries of the table `meta`.
        kept: What is kept of the record that is there already; None makes a new one.

    Raises:
        OSError: When the file cannot be made.
        sqlite3.Error: When SQLite cannot write it.
        RunGoesOn: When another process writes the record that is there.
        RecordDamaged: When that one cannot be read or written.
    """

    def __init__(self, folder: Path, points: Points, meta: dict[str, Any], kept: Kept | None = None) -> None:
        self.path = folder / FILE
        self.problem: str | None = None
        self.cpu_s = 0.0
        self.dropped = 0
        self._points = points
        self._written = 0
        self._ids: dict[str, int] = {}
        self._items: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._meta: dict[str, str] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._asked = self._done = 0
        self._closing = self._detached = False
        self._retry_at = self._beat_at = 0.0
        texts = {key: to_json(value) for key, value in meta.items()}
        if kept is None:
            self._connection = _create(self.path, texts)
        else:
            self._connection = _take_up(self.path, texts, kept)
            self._ids = dict(self._connection.execute("SELECT name, id FROM metrics"))
            names = {number: name for name, number in self._ids.items()}  # not joined: each row would get a copy
            rows = self._connection.execute("SELECT metric, step, value, time FROM points ORDER BY id")
            points.extend(
                (names[at], step, math.nan if value is None else value, when)
                for at, step, value, when in rows
                if at in names
            )
            self._written = len(points)
        _watch_forks()
        _stores.add(self)
        self._thread = threading.Thread(target=self._work, name="firstlight-record", daemon=True)
        self._thread.start()

    def put(self, table: str, row: tuple[Any, ...]) -> None:
        """Add a row to `operations`, `facts` or `findings`."""
        if self._detached:
            return
        with self._lock:
            self._items.append((table, row))
            if len(self._items) > _PENDING:  # the disk takes nothing and memory has an end: the oldest go
                self._items.popleft()
                self.dropped += 1

    def set(self, key: str, value: Any) -> None:
        """Replace an entry of the table `meta`."""
        text = to_json(value)
        if self._detached:
            return
        with self._lock:
            self._meta[key] = text

    def rows(self, table: str, where: str = "", params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What `put` was given, oldest first; `where` is a column that must equal the one parameter."""
        if self.flush():
            return Reader(self.path.parent).rows(table, where, params)
        columns = COLUMNS[table]
        with self._lock:
            at = columns.index(where) if where else 0
            waiting = [row for name, row in self._items if name == table and (not where or row[at] == params[0])]
        try:
            return Reader(self.path.parent).rows(table, where, params) + waiting
        except (RecordNotFound, RecordDamaged):  # the disk is gone or broken; memory is what there is
            return waiting

    def facts_since(self, cursor: int, *, wait: bool) -> tuple[list[tuple[Any, ...]], int]:
        """The facts whose number is above `cursor`, and the highest number; those on disk, after a flush if `wait`."""
        if wait:
            self.flush(timeout=2.0)
        try:
            return Reader(self.path.parent).facts_since(cursor)
        except (RecordNotFound, RecordDamaged):  # the disk is gone or broken: who asks later may be luckier
            return [], cursor

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything given so far is on disk; False when the disk does not take it."""
        if self._detached or not self._thread.is_alive():
            return False
        with self._changed:
            self._asked += 1
            ticket = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= ticket or not self._thread.is_alive(), timeout)
            return self._done >= ticket and self.problem is None

    def close(self, timeout: float = 10.0) -> None:
        """Write what is left, make the file whole without its log, end the thread."""
        if self._detached:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        _stores.discard(self)

    def after_fork(self) -> None:
        """In a child process: this record belongs to the parent; never touch its file again."""
        self._detached = True
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._points.after_fork()
        # Closing a connection that was inherited would fold the parent's log into the file behind its back.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    # The thread.

    def _work(self) -> None:
        try:
            while True:
                with self._changed:
                    if not self._closing and self._done >= self._asked:
                        self._changed.wait(FLUSH_S)
                    asked, closing = self._asked, self._closing
                began = time.thread_time()
                self._write_all(force=closing or asked > self._done)
                self.cpu_s += time.thread_time() - began
                with self._changed:
                    self._done = asked
                    self._changed.notify_all()
                if closing:
                    return
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout=200")
                self._connection.execute("PRAGMA journal_mode=DELETE")  # fails while others read: the log then stays
            self._connection.close()
            with self._changed:
                self._changed.notify_all()

    def _write_all(self, *, force: bool) -> None:
        now = time.monotonic()
        if self.problem is not None and now < self._retry_at and not force:
            return
        try:
            while self._write_some():
                pass
        except (
            sqlite3.Error,
            UnicodeError,
            OverflowError,
        ) as error:  # the disk, or what SQLite refuses
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            self._retry_at = now + _RETRY_S
            first, self.problem = self.problem is None, str(error)
            if first:
                warn_not_saved(self.path.parent, self.problem)
        else:
            self.problem = None

    def _write_some(self) -> bool:
        """One transaction; True when more is waiting."""
        rows, end = self._points.since(self._written, _CHUNK)
        with self._lock:
            items = [self._items[at] for at in range(min(len(self._items), _CHUNK))]
            dropped = self.dropped
            meta = dict(self._meta)
        if time.monotonic() >= self._beat_at:
            meta["heartbeat"] = repr(time.time())
            self._beat_at = time.monotonic() + _HEARTBEAT_S
        if not (rows or items or meta):
            return False
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        ids = dict(self._ids)
        values: list[Any] = []
        for name, step, value, when in rows:
            metric = ids.get(name)
            if metric is None:
                metric = ids[name] = max(ids.values(), default=0) + 1
                run("INSERT INTO metrics (id, name) VALUES (?, ?)", (metric, name))
            values += (metric, step, value, when)  # SQLite has no nan: it becomes NULL, and Reader turns it back
        # Many rows per statement: sqlite3 lets go of the interpreter lock once per statement, and each time a busy
        # training loop would have to hand it back.
        for start in range(0, len(values), 4 * _ROWS_PER_INSERT):
            part = values[start : start + 4 * _ROWS_PER_INSERT]
            places = ",".join(["(?,?,?,?)"] * (len(part) // 4))
            run(f"INSERT INTO points (metric, step, value, time) VALUES {places}", part)
        for table, row in items:
            columns = COLUMNS[table]
            run(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})", row)
        for key, text in meta.items():
            run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text))
        run("COMMIT")
        self._written, self._ids = end, ids
        with self._lock:
            for _item in range(max(0, len(items) - (self.dropped - dropped))):
                self._items.popleft()
            for key, text in meta.items():
                if self._meta.get(key) == text:
                    del self._meta[key]
            return end < len(self._points) or bool(self._items)


class Reader:
    """Reads a record, whoever writes it, and changes nothing. Each question opens and closes the file.

    Raises:
        RecordNotFound: When the folder holds no record.
        RecordTooNew: When a later firstlight wrote it.
        RecordDamaged: When it is not a whole record.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        if not self.path.is_file():
            raise RecordNotFound(folder=str(folder))
        with self._open():
            pass

    def query(self, sql: str, params: Sequence[Any] = (), kinds: Sequence[Kind] = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT, whose values must be of these kinds."""
        with self._open() as connection:
            return rows_of(self.path, connection.execute(sql, params), kinds)

    def rows(self, table: str, where: str = "", params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of `operations`, `facts` or `findings`, oldest first."""
        condition = f" WHERE {where} = ?" if where else ""
        sql = f"SELECT {','.join(COLUMNS[table])} FROM {table}{condition} ORDER BY id"
        return self.query(sql, params, KINDS[table])

    def facts_since(self, cursor: int) -> tuple[list[tuple[Any, ...]], int]:
        """The facts whose number is above `cursor`, oldest first, and the highest number."""
        columns = ",".join(COLUMNS["facts"])
        sql = f"SELECT id,{columns} FROM facts WHERE id > ? ORDER BY id"
        rows = self.query(sql, (cursor,), (int, *KINDS["facts"]))
        return [row[1:] for row in rows], rows[-1][0] if rows else cursor

    def meta(self) -> dict[str, Any]:
        """The table `meta`, each value read from its JSON."""
        rows = self.query("SELECT key, value FROM meta", kinds=(str, str))
        return check_meta(self.path, {key: self.parsed(text) for key, text in rows})

    def parsed(self, text: str) -> Any:
        """A value from its JSON."""
        try:
            return from_json(text)
        except MALFORMED as error:
            raise RecordDamaged(file=str(self.path), reason=str(error)) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        check_files(self.path)
        try:
            with contextlib.ExitStack() as after:
                try:
                    connection = after.enter_context(contextlib.closing(self._connect(self.path)))
                except sqlite3.OperationalError as error:
                    if not _is_read_only_folder(error):
                        raise
                    # A log left by a killed process, in a folder that we must not write to: read a copy of both files.
                    copy = after.enter_context(tempfile.TemporaryDirectory(prefix="firstlight-"))
                    for name in (FILE, f"{FILE}-wal"):
                        with contextlib.suppress(FileNotFoundError):
                            shutil.copyfile(self.path.with_name(name), Path(copy, name))
                    connection = after.enter_context(contextlib.closing(self._connect(Path(copy, FILE))))
                yield connection
        except (sqlite3.Error, UnicodeError) as error:
            raise RecordDamaged(file=str(self.path), reason=str(error)) from error

    def _connect(self, path: Path) -> sqlite3.Connection:
        address = f"{address_for_sqlite(path.absolute().as_uri())}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=5.0, check_same_thread=False)
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            if owner != _APPLICATION:
                raise RecordDamaged(file=str(self.path), reason=_("it is not a record of firstlight"))
            if found > FORMAT:
                raise RecordTooNew(file=str(self.path), found=found, known=FORMAT)
            check_schema(connection, self.path, _SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection


def add_afterwards(folder: Path, metrics: Mapping[str, float]) -> None:
    """Add points, at the newest step, to a record whose writer has ended. Where that cannot be, a warning says so."""
    try:
        address = f"{address_for_sqlite((folder / FILE).absolute().as_uri())}?mode=rw"  # never makes the file anew
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None)) as connection:
            run = connection.execute
            run("BEGIN IMMEDIATE")
            found = run("SELECT value FROM meta WHERE key = 'summary'").fetchone()
            summary = from_json(found[0]) if found else {}
            step, when = run("SELECT coalesce(max(step), 0) FROM points").fetchone()[0], time.time()
            for name, value in metrics.items():
                run("INSERT OR IGNORE INTO metrics (id, name) SELECT coalesce(max(id), 0) + 1, ? FROM metrics", (name,))
                metric = run("SELECT id FROM metrics WHERE name = ?", (name,)).fetchone()[0]
                run("INSERT INTO points (metric, step, value, time) VALUES (?, ?, ?, ?)", (metric, step, value, when))
                old = summary.get(name, {"count": 0, "low": None, "high": None})
                known = [one for one in (old["low"], old["high"], value) if one is not None and one == one]
                low, high = (min(known), max(known)) if known else (None, None)
                summary[name] = {"count": old["count"] + 1, "step": step, "last": value, "low": low, "high": high}
            if found:
                run("UPDATE meta SET value = ? WHERE key = 'summary'", (to_json(summary),))
            run("COMMIT")
    except sqlite3.Error as error:
        warn_not_saved(folder, str(error))


def address_for_sqlite(address: str) -> str:
    """A `file:` address in the form that SQLite takes: a Windows share's server is part of the path, as in its manual.

    Example:
        >>> address_for_sqlite("file://server/share/run.sqlite"), address_for_sqlite("file:///C:/run.sqlite")
        ('file:////server/share/run.sqlite', 'file:///C:/run.sqlite')
    """
    has_server = address.startswith("file://") and not address.startswith("file:///")
    return f"file:////{address.removeprefix('file://')}" if has_server else address


def silent_for_too_long(heartbeat: float) -> bool:
    """Whether a writer whose process we cannot see must be taken for dead."""
    return time.time() - heartbeat > _SILENCE_S


def is_held(meta: Mapping[str, Any]) -> bool:
    """Whether another process trains this run, as far as can be known: one elsewhere tells by its heartbeat."""
    writer = meta.get("process", {})
    if meta.get("status") != "running" or writer == process.identity():
        return False
    there = process.alive(writer)
    return there or (there is None and not silent_for_too_long(float(meta.get("heartbeat", meta.get("started", 0.0)))))


def warn_not_saved(folder: Path, reason: str) -> None:
    """Say once that the record stays in memory. Never raises: training goes on."""
    message = _(
        "The record in {folder} cannot be written: {reason}. Training goes on, and the record is kept in memory. "
        "Make room or choose another folder with the variable FIRSTLIGHT_RUNS.",
        folder=folder,
        reason=reason,
    )
    try:
        warnings.warn(message, RecordNotSaved, stacklevel=2)
    except RecordNotSaved:  # where warnings are errors
        say(message, sys.stderr)


def _create(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """A new record: whoever finds the file finds it whole, also after a kill in here."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(str(part), timeout=5.0, isolation_level=None)) as making:
        run = making.execute
        run("BEGIN IMMEDIATE")
        run(f"PRAGMA application_id={_APPLICATION}")
        run(f"PRAGMA user_version={FORMAT}")
        for statement in _SCHEMA:
            run(statement)
        making.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", list(meta.items()))
        run("COMMIT")
    part.replace(path)
    connection = sqlite3.connect(str(path), timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # survives a killed process; a power cut may cost seconds
    except BaseException:
        connection.close()
        raise
    return connection


def _take_up(path: Path, meta: dict[str, str], kept: Kept) -> sqlite3.Connection:
    """Open a record for writing, as it was at a checkpoint. Of two processes that try, one gets it."""
    address = f"{address_for_sqlite(path.absolute().as_uri())}?mode=rw"  # never makes the file anew
    connection = sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        run = connection.execute
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run("BEGIN IMMEDIATE")
        entries = {key: from_json(text) for key, text in run("SELECT key, value FROM meta")}
        if is_held(entries):
            raise RunGoesOn(folder=str(path.parent), pid=entries["process"].get("pid"))
        run("DELETE FROM points WHERE id NOT IN (SELECT id FROM points ORDER BY id LIMIT ?)", (kept.points,))
        run("DELETE FROM metrics WHERE id NOT IN (SELECT metric FROM points)")
        run("DELETE FROM operations WHERE step >= ?", (kept.step,))
        for table in ("facts", "findings"):
            run(f"DELETE FROM {table} WHERE time > ?", (kept.time,))
        for key in ("reason", "ended", "summary", "rested", "paused"):
            run("DELETE FROM meta WHERE key = ?", (key,))
        connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(meta.items()))
        run("COMMIT")
    except (sqlite3.Error, ValueError, AttributeError) as error:
        connection.close()
        raise RecordDamaged(file=str(path), reason=str(error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _is_read_only_folder(error: sqlite3.OperationalError) -> bool:
    return any(words in str(error) for words in ("unable to open", "readonly", "read-only"))


def _watch_forks() -> None:
    global _fork_watched
    if not _fork_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    _fork_watched = True


def _after_fork() -> None:
    for store in list(_stores):
        store.after_fork()
