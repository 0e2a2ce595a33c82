"""Records, and folders of runs, that somebody else has made to do harm."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import firstlight as fl
from firstlight.doctor.examining import examine
from firstlight.run import RecordDamaged, Run, TrainingStopped, record, runs, state
from firstlight.run.errors import NameOfState, StateNotFound
from firstlight.run.listing import checkpoints_in
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


# Checkpoints that are gone on with: what they hold is looked at before anything is changed.

POINTS = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))


def fitted(**options: Any) -> Run:
    data = TensorDataset(POINTS, (POINTS[:, 0] > 0).long())
    return fl.fit(nn.Linear(2, 2), data, data, batch_size=16, seed=0, device="cpu", epochs=3, name="kept", **options)


def looped(**options: Any) -> Run:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    run = fl.watch(model, optimizer, name="kept", looks=False, **options)
    for _epoch in run.epochs(3):
        for inputs in run.batches(POINTS.split(16)):
            optimizer.zero_grad()
            model(inputs).sum().backward()
            optimizer.step()
            if run.steps == 6 and "resume" not in options:
                run.request_stop()
    run.finish()
    return run


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A `fit` and a loop that were stopped, each with one checkpoint."""
    found = {}
    for kind in ("fit", "loop"):
        folder = tmp_path_factory.mktemp(kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRSTLIGHT_RUNS", str(folder))
            if kind == "fit":
                patch.setattr("firstlight.run.record.audience", [lambda run: run.request_stop()])
                fitted()
            else:
                with pytest.raises(TrainingStopped):
                    looped()
                for run in list(record._running.values()):
                    run.finish("stopped")
        (found[kind],) = folder.iterdir()
        for name in checkpoints_in(found[kind])[1:]:
            (found[kind] / "checkpoints" / f"{name}.safetensors").unlink()
    return found


def put(*path: str | int, value: Any = None, drop: bool = False) -> Callable[[dict[str, Any]], None]:
    def change_it(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        if drop:
            del data[path[-1]]
        else:
            data[path[-1]] = value

    return change_it


ALTERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "no fits": put("fits", drop=True),
    "empty fits": put("fits", value={}),
    "fits that are text": put("fits", value="fit"),
    "another kind": put("fits", "kind", value=5),
    "no position": put("position", drop=True),
    "position 0": put("position", value=0),
    "empty position": put("position", value={}),
    "no loop": put("position", "loop", drop=True),
    "epoch -1": put("position", "epoch", value=-1),
    "epoch of text": put("position", "epoch", value="1"),
    "pass of text": put("position", "pass", value="0"),
    "batch 10**30": put("position", "batch", value=10**30),
    "sources": put("position", "sources", value={"x": {"turn": None, "generators": []}}),
    "a generator at the head": put("position", "head", "chance", "torch", value=5),
    "no chance": put("position", "now", "chance", drop=True),
    "a generator": put("position", "now", "chance", "torch", value=5),
    "Python's generator": put("position", "now", "chance", "python", value=[3]),
    "NumPy's generator": put("position", "now", "chance", "numpy", "value", 2, value=10**6),
    "one generator more": put("position", "now", "chance", "own", value=[5]),
    "counts of nothing": put("counts", value=None),
    "counts of text": put("counts", value=["x"]),
    "other counts": put("counts", value=[10**9]),
    "optimizers 5": put("optimizers", value=5),
    "no optimizers": put("optimizers", value=[]),
    "an optimizer without groups": put("optimizers", 0, "param_groups", drop=True),
    "an optimizer without lr": put("optimizers", 0, "param_groups", 0, "lr", drop=True),
    "lr of text": put("optimizers", 0, "param_groups", 0, "lr", value="x"),
    "betas 5": put("optimizers", 0, "param_groups", 0, "betas", value=5),
    "no models": put("models", value=[]),
    "models 5": put("models", value=5),
    "a model without weights": put("models", 0, "state", value={}),
    "weights of text": put("models", 0, "state", "weight", value="x"),
    "another weight": put("models", 0, "state", "weight", "value", value="models.0.state.bias"),
    "frozen 5": put("models", 0, "frozen", value=5),
    "loose": put("loose", value=[1]),
    "others": put("others", value=[1, 2, 3]),
    "points 10**30": put("points", value=10**30),
    "points of text": put("points", value="x"),
    "time of text": put("time", value="x"),
    "endless time": put("time", value=float("inf")),
    "duration": put("duration", value=-1e300),
    "step 10**30": put("step", value=10**30),
    "another step": put("step", value=1),
    "no step": put("step", drop=True),
    "threads 10**9": put("threads", value=10**9),
    "threads 0": put("threads", value=0),
    "complete 5": put("complete", value=5),
}
ALTERED_FIT = {
    "empty extra": put("extra", value={}),
    "extra of nothing": put("extra", value=None),
    "no plan": put("extra", "plan", value={}),
    "threads of the plan": put("extra", "plan", "threads", value=10**9),
    "precision": put("extra", "plan", "precision", value="float8"),
    "compile": put("extra", "plan", "compile", value="x"),
    "memory format": put("extra", "plan", "memory_format", value=5),
    "best of text": put("extra", "best", value="ab"),
    "best epoch": put("extra", "best_epoch", value="x"),
    "best weights": put("extra", "best_weights", value={}),
    "a schedule": put("others", value=[5]),
}


@pytest.mark.parametrize(
    ("kind", "altered"), [*(("fit", one) for one in {**ALTERED, **ALTERED_FIT}), *(("loop", one) for one in ALTERED)]
)
def test_an_altered_checkpoint_is_refused_before_anything_changes(
    left: dict[str, Path], kind: str, altered: str, tmp_path: Path
) -> None:
    folder = tmp_path / left[kind].name
    shutil.copytree(left[kind], folder)
    (name,) = checkpoints_in(folder)
    tensors, data = state.load(folder / "checkpoints", name, "kept")
    {**ALTERED, **ALTERED_FIT}[altered](data)
    state.save(folder / "checkpoints", name, tensors, data)
    before, threads = (folder / FILE).read_bytes(), torch.get_num_threads()
    with pytest.raises(RecordDamaged, match=rf"{name}\.safetensors"):
        {"fit": fitted, "loop": looped}[kind](resume=folder)
    assert (folder / FILE).read_bytes() == before
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("kind", ["fit", "loop"])
def test_a_checkpoint_that_nobody_altered_is_gone_on_with(left: dict[str, Path], kind: str, tmp_path: Path) -> None:
    folder = tmp_path / left[kind].name
    shutil.copytree(left[kind], folder)
    run = {"fit": fitted, "loop": looped}[kind](resume=folder)
    assert (run.status, run.steps) == ("finished", 12)
