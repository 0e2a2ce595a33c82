"""How much a record that somebody else has made can ask for."""

import contextlib
import sqlite3
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.run import RecordDamaged, Run
from firstlight.run.record import SavedRun
from firstlight.run.store import FILE
from firstlight.view.following import FollowedRun

LONG = 1_000_000  # characters
SHORT = LONG - 240 * 4092  # the same bytes of it stand in the table itself; 4092 go on each further page
COPIES = 60


def number(data: bytearray, at: int) -> tuple[int, int]:
    """SQLite's form of a whole number, and where it ends."""
    value = 0
    while True:
        value = value << 7 | data[at] & 127
        at += 1
        if data[at - 1] < 128:
            return value, at


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A run whose facts are many long texts, all of them one and the same chain of pages."""
    with Run.start("shared", folder=tmp_path) as run:
        run.log({"train/loss": 1.0}, step=0)
        for length in (LONG, *COPIES * (SHORT,)):
            run.add_fact(1, "note", "x" * length)
    assert run.folder is not None
    data = bytearray((run.folder / FILE).read_bytes())
    (size,) = struct.unpack_from(">H", data, 16)
    cells = []
    for page in range(size, len(data), size):
        if data[page] == 13:  # a leaf of a table
            for (at,) in struct.iter_unpack(">H", data[page + 8 : page + 8 + 2 * data[page + 4]]):
                length, rest = number(data, page + at)
                if length > SHORT:
                    cells.append((length, page + at, number(data, rest)[1]))
    length, first, rest = max(cells)
    inside = local(length, size)
    for _length, at, begin in cells:
        data[at : at + 3] = data[first : first + 3]
        data[begin : begin + inside + 4] = data[rest : rest + inside + 4]
    assert len(cells) == COPIES + 1
    (run.folder / FILE).write_bytes(data)
    return run.folder


def local(length: int, size: int) -> int:
    """How many bytes of a long row stand in the table itself: https://www.sqlite.org/fileformat2.html#payload."""
    least = (size - 12) * 32 // 255 - 23
    wanted = least + (length - least) % (size - 4)
    return wanted if wanted <= size - 35 else least


@pytest.mark.parametrize(
    "ask", [lambda run: run.facts(), lambda run: run.facts_since(0), lambda run: run.facts("note")]
)
def test_texts_are_no_longer_than_their_file(shared: Path, ask: Callable[[Run], object]) -> None:
    opened = Run.open(shared)
    tracemalloc.start()
    try:
        with pytest.raises(RecordDamaged, match=FILE):
            ask(opened)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * (shared / FILE).stat().st_size + 2 * LONG
    assert [point.value for point in opened.metric("train/loss")] == [1.0]


def test_a_long_name_comes_once_however_many_points_have_it(tmp_path: Path) -> None:
    name = "grad/" + "layer." * 50_000 + "norm"
    with Run.start("long", folder=tmp_path) as run:
        for step in range(300):
            run.log({name: step, "train/loss": 1.0}, step=step)
    assert run.folder is not None
    for opened in (SavedRun(run.folder), FollowedRun(run.folder)):
        tracemalloc.start()
        try:
            rows, cursor = opened.points_since(2)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert [(row[0][:5], *row[1:3]) for row in rows[:2]] == [("grad/", 1, 1.0), ("train", 1, 1.0)]
        assert (len(rows), cursor) == (598, 600)
        assert opened.points_since(600) == ([], 600)
        assert opened.metrics() == [name, "train/loss"]
        assert opened.summary()[name]["last"] == 299
        assert peak < 20 * len(name)


def test_what_has_only_reached_the_log_counts_too(tmp_path: Path) -> None:
    run = Run.start("open", folder=tmp_path)
    for _fact in range(20):
        run.add_fact(0, "note", "ç€😀" * 10_000)
    assert run.flush()
    assert run.folder is not None
    log = (run.folder / f"{FILE}-wal").stat().st_size
    assert log > 20 * 90_000 > (run.folder / FILE).stat().st_size
    assert len(Run.open(run.folder).facts("note")) == 20
    run.finish()
    assert len(Run.open(run.folder).facts("note")) == 20


@pytest.mark.parametrize("table", ["points", "facts"])
def test_bytes_are_none_of_our_values(tmp_path: Path, table: str) -> None:
    with Run.start("bytes", folder=tmp_path) as run:
        run.log({"train/loss": 1.0}, step=0)
        run.add_fact(0, "note", 1)
    assert run.folder is not None
    with contextlib.closing(sqlite3.connect(run.folder / FILE)) as connection:
        connection.execute(f"UPDATE {table} SET step = zeroblob(9)")
        connection.commit()
    with pytest.raises(RecordDamaged, match=FILE):
        Run.open(run.folder).points_since(0) if table == "points" else Run.open(run.folder).facts()
