"""Records, and folders of runs, that somebody else has made to do harm."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from firstlight.doctor.examining import examine
from firstlight.run import RecordDamaged, Run, runs
from firstlight.run.errors import NameOfState, StateNotFound
from firstlight.run.store import FILE

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs pipes, and counts memory as Linux does")


@LINUX
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_run_and_all_is_bounded(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.reliability.hostile", "--short", "--json", "--only", "run/"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    said = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    found = json.loads(said.stdout)
    assert len(found) > 50
    assert [f"{one['case']}: {one['fault']} {one['error']}" for one in found if one["fault"]] == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with Run.start("kept", folder=tmp_path / "runs") as run:
        for step in range(5):
            run.log({"train/loss": 1.0 / (step + 1)}, step=step)
        run.add_fact(0, "note", {"a": 1})
        run.save_state("best", {"w": torch.ones(2)}, {"epoch": 1})
    assert run.folder is not None
    return run.folder


def change(run: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(run / FILE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'x' AS name FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE metrics", f"CREATE VIEW metrics AS {ENDLESS}"),
        ("CREATE TRIGGER evil AFTER INSERT ON points BEGIN DELETE FROM points; END",),
        ("DROP TABLE facts", "CREATE TABLE facts (id INTEGER PRIMARY KEY, step INTEGER)"),
        ("CREATE TABLE more (a)",),
    ],
    ids=["view", "trigger", "columns", "table"],
)
def test_a_record_has_our_tables_and_nothing_else(run: Path, statements: tuple[str, ...]) -> None:
    change(run, *statements)
    with pytest.raises(RecordDamaged, match="not a record of firstlight") as caught:
        Run.open(run)
    assert FILE in str(caught.value)
    assert [one.status for one in runs(run.parent)] == ["damaged"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("started", '"abc"'),
        ("started", "1e300"),
        ("started", "-5"),
        ("ended", "[1]"),
        ("plan", '{"evil": 1}'),
        ("plan", '{"total_steps": "x"}'),
        ("plan", "7"),
        ("info", "[1]"),
        ("status", '"evil"'),
        ("process", '{"pid": "x"}'),
        ("rested", '{"time": "x"}'),
        ("name", "{}"),
        ("heartbeat", "true"),
        ("info", "{"),
        ("info", "[" * 100_000),
    ],
)
def test_what_a_run_says_of_itself_has_our_form(run: Path, key: str, value: str) -> None:
    change(run, f"INSERT OR REPLACE INTO meta (key, value) VALUES ('{key}', '{value}')")
    with pytest.raises(RecordDamaged, match=FILE):
        Run.open(run)


def test_a_summary_of_another_form_is_counted_anew(run: Path) -> None:
    whole = Run.open(run).summary()
    for entry in ('{"step": "x"}', '{"count": 1, "step": 0, "last": 0.5, "high": 1.0}'):
        change(run, f"UPDATE meta SET value = '{{\"train/loss\": {entry}}}' WHERE key = 'summary'")
        assert Run.open(run).summary() == whole
    assert runs(run.parent)[0].steps == 5


@pytest.mark.parametrize("column", ["step", "value", "time"])
def test_points_are_numbers(run: Path, column: str) -> None:
    change(run, f"UPDATE points SET {column} = 'abc' WHERE id = 2")
    with pytest.raises(RecordDamaged, match=FILE):
        Run.open(run).metric("train/loss")


@pytest.mark.parametrize("data", ["{", "[" * 100_000])
def test_facts_are_json(run: Path, data: str) -> None:
    change(run, f"UPDATE facts SET data = '{data}'")
    for ask in (Run.open(run).facts, lambda: Run.open(run).facts_since(0), lambda: examine(Run.open(run))):
        with pytest.raises(RecordDamaged, match=FILE):
            ask()


@pytest.mark.parametrize("kind", ["graph", "memory"])
def test_a_look_that_holds_something_else_is_damage(run: Path, kind: str) -> None:
    change(run, f"UPDATE facts SET kind = '{kind}', data = '7'")
    with pytest.raises(RecordDamaged, match=FILE):
        getattr(Run.open(run), kind)()


def test_a_table_gives_no_more_rows_than_its_file_has_bytes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Run.open(run)
    monkeypatch.setattr("firstlight.run.foreign._SMALLEST", (run / FILE).stat().st_size)
    with pytest.raises(RecordDamaged, match=FILE):
        opened.metric("train/loss")


def test_a_question_ends(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_OPERATIONS", 10), ("_LEAST", 0), ("_PER_BYTE", 0)):
        monkeypatch.setattr(f"firstlight.run.foreign.{name}", value)
    with pytest.raises(RecordDamaged, match="interrupted"):
        Run.open(run).summary()


@LINUX
@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_pipes_and_links_beside_a_record_are_not_opened(run: Path, tmp_path: Path, end: str) -> None:
    place = run / f"{FILE}{end}"
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    with pytest.raises((RecordDamaged, FileNotFoundError)):
        Run.open(run)
    assert all(one.status == "damaged" for one in runs(run.parent))
    place.unlink()
    (tmp_path / "precious").write_bytes(b"precious")
    place.symlink_to(tmp_path / "precious")
    with pytest.raises(RecordDamaged):
        Run.open(run)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_list_sends_no_commands_to_a_terminal(run: Path) -> None:
    change(run, "UPDATE meta SET value = '\"\\u001b]0;mine\\u0007\"' WHERE key = 'name'")
    assert "\x1b" not in repr(runs(run.parent))
    assert "mine" in repr(runs(run.parent))


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "", "CON"])
def test_a_state_lies_in_the_folder_of_its_run(run: Path, name: str) -> None:
    with pytest.raises(NameOfState):
        Run.open(run).load_state(name)
    with pytest.raises(StateNotFound):
        Run.open(run).load_state("none")


@pytest.mark.parametrize(
    "texts", [{"aliases": '{"a": "none"}'}, {"aliases": "[1]"}, {"data": "{"}, {"data": "[" * 9999}]
)
def test_what_stands_beside_the_tensors_of_a_state_may_be_anything(run: Path, texts: dict[str, str]) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, run / "checkpoints" / "best.safetensors", metadata=texts)
    with pytest.raises(RecordDamaged, match=r"best\.safetensors"):
        Run.open(run).load_state("best")


def test_a_schema_that_is_no_text_is_damage(run: Path) -> None:
    whole = (run / FILE).read_bytes()
    # SQLite's own word on it then holds the name, which is no text.
    (run / FILE).write_bytes(whole.replace(b"facts_kind", b"facts_k\xff\xfed").replace(b"(kind)", b"(kinx)"))
    with pytest.raises(RecordDamaged, match=FILE):
        Run.open(run)
