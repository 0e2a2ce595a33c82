"""The record: what goes in comes out, in memory and on disk, also when things go wrong."""

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path

import pytest
import torch

from firstlight.run import (
    NameOfState,
    NotAMetric,
    NotAnEnd,
    NotJson,
    Plan,
    RecordDamaged,
    RecordNotFound,
    RecordNotSaved,
    RecordReadOnly,
    RecordTooNew,
    Run,
    RunEnded,
    StateNotFound,
    TrainingStopped,
    audience,
    process,
    store,
)
from firstlight.run.values import from_json, to_json

AWKWARD = {
    "nan": math.nan,
    "inf": [math.inf, -math.inf],
    "text": "学習 학습 🙂",
    "none": None,
    "n": 2**60,
    "t": (1, True),
}


def same(a: object, b: object) -> bool:
    return repr(a) == repr(b)


@pytest.fixture(params=["memory", "disk"])
def run(request: pytest.FixtureRequest, tmp_path: Path):
    run = Run("t") if request.param == "memory" else Run.start("t", folder=tmp_path)
    yield run
    run.finish()


def script(code: str, *args: object, **more: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)], stdout=subprocess.PIPE, text=True, **more
    )


def test_everything_that_goes_in_comes_out(run: Run) -> None:
    for step in range(50):
        run.log({"train/loss": math.nan if step == 3 else 1 / (step + 1), "lr": 0.1}, step=step)
    run.extend([("grad/norm", 7, math.inf, 12.5)])
    assert run.metrics() == ["train/loss", "lr", "grad/norm"]
    points = run.metric("train/loss")
    assert [point.step for point in points] == list(range(50))
    assert math.isnan(points[3].value)
    assert run.metric("grad/norm") == [(7, math.inf, 12.5)]
    assert run.metric("unknown") == []
    assert run.last("lr") == 0.1
    assert run.last("unknown") is None
    rows, cursor = run.points_since(0)
    assert len(rows) == cursor == 101
    run.log({"lr": 0.2}, step=50)
    rows, cursor = run.points_since(cursor)
    assert [row[:3] for row in rows] == [("lr", 50, 0.2)]
    assert run.points_since(cursor) == ([], 102)

    run.add_operations(4, [{"op": "mm", "shape": (2, 3)}, AWKWARD])
    run.add_operations(5, [{"op": "relu"}])
    assert run.operations(4)[0] == {"op": "mm", "shape": [2, 3]}
    assert same(run.operations(4)[1], {**AWKWARD, "t": [1, True]})
    assert run.operations(6) == []
    run.add_fact(1, "epoch", {"epoch": 0})
    run.add_fact(2, "skipped")
    assert [(fact.step, fact.kind, fact.data) for fact in run.facts()] == [
        (1, "epoch", {"epoch": 0}),
        (2, "skipped", None),
    ]
    assert [fact.step for fact in run.facts("skipped")] == [2]
    run.add_finding("L19", step=3, evidence=math.nan)
    run.add_finding("P01")
    assert [(found.code, found.step) for found in run.findings()] == [("L19", 3), ("P01", None)]
    assert math.isnan(run.findings()[0].data["evidence"])
    run.set_info(device="cpu", odd=AWKWARD)
    assert same(run.info["odd"]["inf"], AWKWARD["inf"])
    run.set_plan(total_epochs=3)
    run.set_plan(steps_per_epoch=10)
    assert run.plan == Plan(30, 3, 10)
    run.set_plan(steps_per_epoch=11)
    assert run.plan == Plan(33, 3, 11)
    run.set_plan(total_steps=7)
    run.set_plan(steps_per_epoch=12)
    assert run.plan.total_steps == 7, "what was said stays"
    assert "t" in repr(run)
    assert run.duration >= 0
    run.finish()
    assert run.status == "finished"
    if run.folder is not None:
        saved = Run.open(run.folder)
        assert saved.metrics() == ["train/loss", "lr", "grad/norm"]
        assert same(saved.metric("train/loss"), points)
        assert saved.last("lr") == 0.2
        assert saved.last("unknown") is None
        assert saved.points_since(101)[0][0][:3] == ("lr", 50, 0.2)
        assert same(saved.operations(4)[1], {**AWKWARD, "t": [1, True]})
        assert [fact.step for fact in saved.facts("skipped")] == [2]
        assert len(saved.findings()) == 2
        assert same(saved.info["odd"]["nan"], math.nan)
        assert saved.plan == run.plan
        assert saved.duration == run.duration
        assert saved.environment["versions"]["torch"] == metadata.version("torch")
        assert saved.summary()["train/loss"]["count"] == 50
        assert [path.name for path in run.folder.iterdir()] == ["run.sqlite"], "no log is left beside a finished record"


def test_events_and_ends(run: Run) -> None:
    heard: list[tuple[str, str]] = []
    unsubscribe = run.subscribe(lambda event: heard.append((event, run.status)))
    run.resume()
    run.rest()
    run.rest()
    assert run.resting
    run.resume()
    assert not run.resting
    run.finish("failed", "because")
    run.finish()
    run.rest()
    assert heard == [("resting", "resting"), ("resumed", "running"), ("ended", "failed")]
    assert run.reason == "because"
    unsubscribe()
    unsubscribe()
    with pytest.raises(RunEnded, match="has ended"):
        run.log({"x": 1.0}, step=0)
    with pytest.raises(RunEnded):
        run.add_fact(0, "x")


def test_a_callback_that_breaks_does_not_break_the_run(run: Run) -> None:
    def broken(event: str) -> None:
        raise ValueError(event)

    run.subscribe(broken)
    with pytest.warns(RuntimeWarning, match="ValueError: resting"):
        run.rest()
    with pytest.warns(RuntimeWarning, match="ValueError: ended"):
        run.finish()


@pytest.mark.parametrize(
    ("error", "status", "swallowed"),
    [
        (None, "finished", True),
        (TrainingStopped(), "stopped", True),
        (KeyboardInterrupt(), "stopped", False),
        (ValueError("boom"), "failed", False),
    ],
)
def test_as_a_with_block(error: BaseException | None, status: str, swallowed: bool) -> None:
    def body() -> Run:
        with Run() as run:
            runs.append(run)
            if error is not None:
                raise error
        return run

    runs: list[Run] = []
    if swallowed:
        body()
    else:
        with pytest.raises(type(error)):
            body()
    assert runs[0].status == status
    assert runs[0].reason == ("ValueError: boom" if status == "failed" else None)


def test_the_audience_sees_each_run_before_it_starts(tmp_path: Path) -> None:
    seen: list[Run] = []
    events: list[str] = []

    def listener(run: Run) -> None:
        seen.append(run)
        run.subscribe(events.append)

    audience.append(listener)
    try:
        run = Run.start("a", folder=tmp_path, plan={"total_steps": 3})
        Run()
    finally:
        audience.remove(listener)
    assert seen == [run]
    assert events == ["started"]
    assert Run.open(run.folder).plan.total_steps == 3
    run.finish()


def test_writing_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    run = Run.start("threads", folder=tmp_path)

    def work(number: int) -> None:
        for step in range(500):
            run.log({f"m{number}": step}, step=step)
            if step % 100 == 0:
                run.add_fact(step, f"f{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    saved = Run.open(run.folder)
    for number in range(4):
        assert [point.step for point in saved.metric(f"m{number}")] == list(range(500))
        assert len(saved.facts(f"f{number}")) == 5


def test_values_json() -> None:
    assert same(from_json(to_json(AWKWARD)), {**AWKWARD, "t": [1, True]})
    json.loads(to_json(AWKWARD), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert to_json({1: Path("a"), 2.5: torch.tensor(3), "s": {4}}) == '{"1": "a", "2.5": 3, "s": [4]}'
    for bad in (object(), torch.ones(2), {(1, 2): 3}, b"x"):
        with pytest.raises(NotJson):
            to_json(bad)


# States.


def test_half_a_character_is_kept_and_one_that_sqlite_refuses_is_said(tmp_path: Path) -> None:
    """A folder whose name is in another encoding reaches Python with a lone surrogate in it."""
    assert from_json(to_json({"folder": "caf\udce9"})) == {"folder": "caf\udce9"}
    run = Run.start("caf\udce9", folder=tmp_path)
    assert run.folder is not None
    run.set_info(folder="caf\udce9")

    def refused() -> None:
        run.log({"\udce9": 1.0, "ok": 2.0}, step=0)
        run.rest()

    with pytest.warns(RecordNotSaved, match="surrogates"):
        refused()
    assert run.last("ok") == 2.0
    assert run.problem is not None
    run.finish()
    assert Run.open(run.folder).name == "caf\udce9"


def test_states_come_back_bit_for_bit(run: Run) -> None:
    weight = torch.randn(3, 4)
    tensors = {
        "weight": weight,
        "tied": weight,
        "row": weight[1],
        "turned": weight.t(),
        "half": torch.randn(2).bfloat16(),
        "flags": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
        "number": torch.tensor(7),
        "odd": torch.tensor([math.nan, math.inf]),
        "grad": torch.ones(2, requires_grad=True),
    }
    run.save_state("best", {"weight": torch.zeros(1)}, {"epoch": 0})
    path = run.save_state("best", tensors, {"epoch": 3, "loss": math.nan})
    back, data = run.load_state("best")
    assert set(back) == set(tensors)
    for key, tensor in tensors.items():
        assert back[key].dtype == tensor.dtype
        torch.testing.assert_close(back[key], tensor.detach(), rtol=0, atol=0, equal_nan=True)
    assert same(data, {"epoch": 3, "loss": math.nan})
    assert run.states() == ["best"]
    if path is not None:
        assert sorted(file.name for file in path.parent.iterdir()) == ["best.json", "best.safetensors"]
        assert back["tied"] is back["weight"]
        assert b"pickle" not in path.read_bytes()
        assert Run.open(run.folder).load_state("best")[1]["epoch"] == 3
    with pytest.raises(StateNotFound, match="best"):
        run.load_state("worst")
    for bad in ("../x", "", "a/b", ".hidden", "a" * 200):
        with pytest.raises(NameOfState):
            run.save_state(bad, {})


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    run = Run.start("t", folder=tmp_path)
    path = run.save_state("best", {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RecordDamaged, match=r"best\.safetensors"):
        run.load_state("best")
    with pytest.raises(NotJson):
        run.save_state("sparse", {"a": torch.eye(3).to_sparse()})
    run.finish()


@pytest.mark.parametrize("where", ["text", "tensor"])
def test_a_checkpoint_with_another_byte_is_not_taken_for_what_was_saved(tmp_path: Path, where: str) -> None:
    run = Run.start("t", folder=tmp_path)
    tensors = {"a": torch.ones(99).bfloat16(), "empty": torch.empty(0, 3), "number": torch.tensor(7)}
    path = run.save_state("best", tensors, "seven")
    whole = bytearray(path.read_bytes())
    place = len(whole) - 2 if where == "tensor" else whole.index(b"seven")
    whole[place] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RecordDamaged, match="checksum"):
        run.load_state("best")
    run.finish()


# Other processes.

WRITER = """
    import sys, time
    from firstlight.run import Run
    run = Run.start("killed", folder=sys.argv[1])
    step = 0
    print(run.folder, flush=True)
    while True:
        run.log({"train/loss": float(step), "lr": 0.1}, step=step)
        if step % 50 == 0:
            run.add_fact(step, "mark", {"time": time.time()})
        step += 1
        time.sleep(0.0005)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("after_s", [0.05, 0.62, 1.13])
def test_a_killed_writer_loses_at_most_one_flush_interval(tmp_path: Path, after_s: float) -> None:
    writer = script(WRITER, tmp_path)
    with writer:
        folder = Path(writer.stdout.readline().strip())
        reader = Run.open(folder)
        assert reader.status == "running"
        deadline = time.monotonic() + after_s
        grew = []
        while time.monotonic() < deadline:
            grew.append(len(reader.metric("train/loss")))
            time.sleep(0.01)
        killed_at = time.time()
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert grew == sorted(grew)
    before = {path.name: path.read_bytes() for path in folder.glob("run.sqlite*") if not path.name.endswith("-shm")}
    saved = Run.open(folder)
    assert saved.status == "died"
    assert reader.status == "died"
    points = saved.metric("train/loss")
    assert [point.value for point in points] == [float(step) for step in range(len(points))], "no gap, no double"
    newest = points[-1].time if points else saved.started
    assert killed_at - newest < store.FLUSH_S + 0.5
    assert saved.duration < after_s + 10
    if points:
        assert saved.summary()["train/loss"]["count"] == len(points)
        assert saved.summary()["train/loss"]["last"] == points[-1].value
    with pytest.raises(RecordReadOnly):
        saved.log({"x": 1.0}, step=0)
    with pytest.raises(RecordReadOnly):
        saved.save_state("x", {})
    saved.finish()
    after = {path.name: path.read_bytes() for path in folder.glob("run.sqlite*") if not path.name.endswith("-shm")}
    assert before == after, "reading changes nothing"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_record_in_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with script(WRITER, tmp_path) as writer:
        folder = Path(writer.stdout.readline().strip())
        while not Run.open(folder).metrics():
            time.sleep(0.05)
        writer.kill()
        writer.wait()
    for shm in folder.glob("*-shm"):
        shm.unlink()
    count = len(Run.open(folder).metric("lr"))
    for shm in folder.glob("*-shm"):
        shm.unlink()

    def denied(reader: store.Reader, path: Path) -> sqlite3.Connection:
        if path.parent == folder:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(reader, path)

    # Root may write everywhere, so a folder's mode cannot show this: SQLite's answer in such a folder is given instead.
    connect = store.Reader._connect
    monkeypatch.setattr(store.Reader, "_connect", denied)
    assert len(Run.open(folder).metric("lr")) == count > 0


def test_a_run_ends_with_its_process(tmp_path: Path) -> None:
    code = """
        import sys
        from firstlight.run import Run
        run = Run.start("exit", folder=sys.argv[1])
        run.log({"x": 1.0}, step=0)
        %s
    """
    for ending, status in (
        ("pass", "finished"),
        ("raise ValueError('boom')", "failed"),
        ("raise KeyboardInterrupt", "stopped"),
        ("sys.exit(3)", "finished"),
    ):
        folder = tmp_path / status / str(len(ending))
        with script(code % ending, folder, stderr=subprocess.DEVNULL) as child:
            child.wait()
        (made,) = folder.iterdir()
        saved = Run.open(made)
        assert saved.status == status
        assert saved.last("x") == 1.0
        if status == "failed":
            assert saved.reason == "ValueError: boom"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_leaves_the_record_alone(tmp_path: Path) -> None:
    code = """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from firstlight.run import Run
        run = Run.start("fork", folder=sys.argv[1])
        run.log({"x": 1.0}, step=0)
        child = os.fork()
        if child == 0:
            for step in range(100):
                run.log({"x": -1.0}, step=step)
                run.add_fact(step, "child")
            run.set_info(child=True)
            run.finish()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        run.log({"x": 2.0}, step=1)
        run.finish()
        print("done")
    """
    with script(code, tmp_path) as parent:
        assert parent.communicate()[0].strip() == "done"
    (folder,) = tmp_path.iterdir()
    saved = Run.open(folder)
    assert [point.value for point in saved.metric("x")] == [1.0, 2.0]
    assert saved.facts() == []
    assert saved.info == {}
    assert saved.status == "finished"


def test_a_second_process_reads_while_we_write(tmp_path: Path) -> None:
    run = Run.start("shared", folder=tmp_path)
    run.log({"x": 1.0}, step=0)
    run._store.flush()
    code = """
        import sys
        from firstlight.run import Run
        run = Run.open(sys.argv[1])
        print(run.status, run.last("x"), run.environment["versions"]["python"] == sys.version.split()[0])
    """
    with script(code, run.folder) as reader:
        assert reader.communicate()[0].split() == ["running", "1.0", "True"]
    run.finish()


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from firstlight.run.record import new_folder
        for number in range(100):
            new_folder(Path(sys.argv[1]), "same", 1000.0)
    """
    children = [script(code, tmp_path) for _ in range(3)]
    for child in children:
        with child:
            assert child.wait() == 0
    assert len(list(tmp_path.iterdir())) == 300


def test_folder_names_sort_by_time(tmp_path: Path) -> None:
    from firstlight.run.record import new_folder

    names = [
        new_folder(tmp_path, name, started).name for name, started in (("z/..\\", 5.0), ("", 5.25), ("학습 a", 1e9))
    ]
    assert names == sorted(names)
    assert names[0] == "19700101T000005.000Z-z"
    assert names[1].endswith("-run")
    assert names[2].endswith("-학습-a")


def test_processes_are_told_apart() -> None:
    me = process.identity()
    assert process.alive(me) is True
    assert process.alive({**me, "started": "earlier"}) is False
    assert process.alive({**me, "pid": 2**22 + 1}) is False
    assert process.alive({**me, "pid": 0}) is False
    assert process.alive({**me, "host": "elsewhere"}) is None
    with script("import time; time.sleep(60)") as child:
        if sys.platform == "linux":
            assert process._started_linux(child.pid) is not None
        if sys.platform != "win32" and shutil.which("ps"):
            assert process._started_ps(child.pid)
        child.kill()
    if sys.platform != "win32" and shutil.which("ps"):
        assert process._started_ps(child.pid) is None


def test_a_writer_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.start("far", folder=tmp_path)
    run._store.flush()
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert Run.open(run.folder).status == "running"
    monkeypatch.setattr(store, "_SILENCE_S", -1.0)
    assert Run.open(run.folder).status == "died"
    run.finish()


# Records that are not whole.


def test_what_is_not_a_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound, match="no run in"):
        Run.open(tmp_path / "nothing")
    run = Run.start("t", folder=tmp_path)
    for step in range(3000):
        run.log({"x": 1.0}, step=step)
    run.finish()
    whole = (run.folder / "run.sqlite").read_bytes()

    def broken(content: bytes) -> Path:
        folder = tmp_path / "broken"
        folder.mkdir(exist_ok=True)
        (folder / "run.sqlite").write_bytes(content)
        return folder

    for content in (b"", b"this is not a database at all" * 100, os.urandom(5000)):
        with pytest.raises(RecordDamaged, match=r"run\.sqlite"):
            Run.open(broken(content))
    with pytest.raises(RecordDamaged, match=r"run\.sqlite"):
        Run.open(broken(whole[: len(whole) // 3])).metric("x")
    spoiled = bytearray(whole)
    spoiled[4096:-4096] = b"\xff" * len(spoiled[4096:-4096])
    with pytest.raises(RecordDamaged):
        Run.open(broken(bytes(spoiled))).metric("x")

    folder = broken(whole)
    with sqlite3.connect(folder / "run.sqlite") as other:
        other.execute("UPDATE meta SET value = '{' WHERE key = 'name'")
    other.close()
    with pytest.raises(RecordDamaged):
        Run.open(folder)

    folder = broken(whole)
    with sqlite3.connect(folder / "run.sqlite") as other:
        other.execute(f"PRAGMA user_version={store.FORMAT + 1}")
    other.close()
    with pytest.raises(RecordTooNew, match="upgrade"):
        Run.open(folder)


def test_no_place_for_a_record_is_one_warning_and_no_more(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.warns(RecordNotSaved, match="Training goes on") as caught:
        run = Run.start("t", folder=blocked)
    assert len(caught) == 1
    run.log({"x": 1.0}, step=0)
    run.add_fact(0, "f")
    run.save_state("best", {"a": torch.ones(1)})
    assert run.folder is None
    assert run.last("x") == 1.0
    assert run.load_state("best")[0]["a"] == 1
    run.finish()


def test_a_record_that_cannot_begin_leaves_nothing_behind(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(5_000), pytest.warns(RecordNotSaved, match="cannot be written"):
        run = Run.start("t", folder=tmp_path)
    run.log({"x": 1.0}, step=0)
    assert run.last("x") == 1.0
    run.finish()
    assert run.folder is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_one_warning_and_training_goes_on(tmp_path: Path) -> None:
    code = """
        import resource, signal, sys, time, warnings
        from firstlight.run import Run
        run = Run.start("full", folder=sys.argv[1])
        run.log({"x": 0.0}, step=0)
        assert run._store.flush()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, hard))
        for step in range(1, 20_001):
            run.log({"x": float(step)}, step=step)
            if step % 1000 == 0:
                run.add_fact(step, "f")
        assert not run._store.flush()
        assert run.problem, run.problem
        assert len(run.metric("x")) == 20_001
        assert len(run.facts("f")) == 20
        assert not run._store.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert run._store.flush() and run.problem is None, run.problem
        assert len(run.facts("f")) == 20
        run.finish()
        print(len(Run.open(run.folder).metric("x")))
    """
    with script(code, tmp_path, stderr=subprocess.PIPE) as child:
        out, err = child.communicate()
    assert out.strip() == "20001", err
    assert err.count("cannot be written") == 1


def test_warnings_as_errors_do_not_stop_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.warn_not_saved(tmp_path, "why")
    assert "why" in capsys.readouterr().err


def test_what_waits_while_the_disk_takes_nothing_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PENDING", 10)
    run = Run.start("t", folder=tmp_path)
    run._store.flush()
    blocker = sqlite3.connect(run.folder / "run.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for step in range(25):
        run.add_fact(step, "f")
    blocker.execute("ROLLBACK")
    blocker.close()
    steps = [fact.step for fact in run.facts()]
    assert steps[-10:] == list(range(15, 25))
    run.finish()


def test_a_million_points_are_small_and_quick() -> None:
    run = Run()
    rows = [("train/loss", step, 0.5, 0.0) for step in range(1_000_000)]
    run.extend(rows)
    began = time.perf_counter()
    assert len(run.points_since(999_000)[0]) == 1000
    assert time.perf_counter() - began < 0.1


def test_requests_to_stop(run: Run) -> None:
    assert not run.stop_requested
    run.request_stop()
    assert run.stop_requested


def test_the_code_of_a_script_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(
        "from firstlight.run import Run\nimport sys\nRun.start('s', folder=sys.argv[1])\n", encoding="utf-8"
    )
    subprocess.run([sys.executable, str(file), str(tmp_path / "runs")], check=True)
    (folder,) = (tmp_path / "runs").iterdir()
    found = Run.open(folder).environment
    assert found["script"]["path"] == str(file)
    assert "Run.start('s'" in found["script"]["code"]
    assert found["argv"][1] == str(tmp_path / "runs")


def test_the_code_of_the_cells_is_kept_as_they_ran(tmp_path: Path) -> None:
    code = """
        import sys, os
        os.environ["IPYTHONDIR"] = sys.argv[1]
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance(history_length=0)
        shell.history_manager.enabled = False
        for cell in (
            "from firstlight.run import Run; run = Run.start('n', folder=%r)" % sys.argv[2],
            "x = 1",
            "run.log({'x': x}, 0)",
            "run.finish()",
        ):
            shell.run_cell(cell, store_history=True)
        shell.history_manager.end_session() if hasattr(shell.history_manager, "end_session") else None
        os._exit(0)
    """
    with script(code, tmp_path / "ipython", tmp_path / "runs") as child:
        child.wait()
    (folder,) = (tmp_path / "runs").iterdir()
    assert Run.open(folder).environment["cells"][1:3] == ["x = 1", "run.log({'x': x}, 0)"]


@pytest.mark.parametrize("value", ["0.5", None, [1.0], torch.ones(3), {}])
def test_a_metric_that_is_no_number_is_named(value: object) -> None:
    run = Run()
    with pytest.raises(NotAMetric, match="the metric test/accuracy"):
        run.log({"test/accuracy": value}, step=0)
    assert run.metrics() == []
    with pytest.raises(NotAMetric, match="the metric step"):
        run.log({"loss": 1.0}, step="x")
    with pytest.raises(NotAMetric, match=r"3\.0 is not"):
        run.log(3.0, step=0)


def test_a_loss_with_its_graph_is_a_metric() -> None:
    run = Run()
    run.log({"loss": torch.tensor(2.0, requires_grad=True) * 2, "right": torch.tensor(True)}, step=0)
    assert (run.last("loss"), run.last("right")) == (4.0, 1.0)


def test_a_generator_that_is_read_no_further_ends_its_run_well() -> None:
    runs = []

    def steps() -> Iterator[int]:
        with Run() as run:
            runs.append(run)
            yield from range(5)

    for step in steps():
        if step == 2:
            break
    assert [run.status for run in runs] == ["finished"]


def test_a_name_may_be_a_number(tmp_path: Path) -> None:
    with Run.start(5, folder=tmp_path) as run:
        assert run.name == "5"
    assert run.folder is not None
    assert run.folder.name.endswith("-5")


def test_time_in_which_the_loop_was_left_does_not_count(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    began = run.started
    clock = Clock(began + 10)
    monkeypatch.setattr("firstlight.run.record.time", clock)
    assert run.duration == pytest.approx(10)
    run.rest()
    clock.now = began + 1000
    assert (run.status, run.duration) == ("resting", pytest.approx(10))
    if run.folder is not None:
        saved = Run.open(run.folder)
        assert (saved.status, saved.resting, saved.duration) == ("resting", True, pytest.approx(10))
    run.resume()
    clock.now = began + 1005
    assert (run.status, run.duration) == ("running", pytest.approx(15))
    run.rest()
    clock.now = began + 5000
    run.finish()
    assert (run.status, run.duration) == ("finished", pytest.approx(15))
    assert run.ended == pytest.approx(began + 1005)
    if run.folder is not None:
        saved = Run.open(run.folder)
        assert (saved.status, saved.resting, saved.duration) == ("finished", False, pytest.approx(15))


def test_a_stopped_loop_may_go_on(run: Run) -> None:
    run.request_stop()
    run.rest(TrainingStopped())
    assert (run.status, run.ended, run.stop_requested) == ("stopped", None, False)
    if run.folder is not None:
        assert Run.open(run.folder).status == "stopped"
    run.request_stop()  # a second click, when nothing moves any more
    run.resume()
    assert (run.status, run.stop_requested) == ("running", False)
    run.request_stop()
    run.rest(KeyboardInterrupt())
    run.finish()
    assert run.status == "stopped", "watching again ends the run, but nobody finished it"


def test_an_error_or_an_interrupt_that_nobody_asked_for_is_no_stop() -> None:
    for error in (ValueError(), KeyboardInterrupt(), None):
        run = Run()
        run.rest(error)
        assert run.status == "resting"


@pytest.mark.parametrize(("stop", "status"), [("", "finished"), ("run.request_stop(); ", "stopped")])
def test_a_run_that_rests_does_not_die_with_its_process(tmp_path: Path, stop: str, status: str) -> None:
    code = f"""
import os, sys
from firstlight.run import Run, TrainingStopped
run = Run.start("t", folder=sys.argv[1])
run.log({{"train/loss": 1.0}}, step=0)
{stop}run.rest(TrainingStopped())
os._exit(9)
"""
    with script(code, tmp_path) as process:
        process.wait()
    (folder,) = tmp_path.glob("*-t")
    saved = Run.open(folder)
    assert saved.status == status
    assert saved.ended is not None
    assert saved.duration == pytest.approx(saved.ended - saved.started)


def test_a_run_ends_in_a_way_that_there_is(run: Run) -> None:
    with pytest.raises(NotAnEnd, match=r"cannot end as 'anything'.*\n.*finished, stopped, failed"):
        run.finish("anything")
    assert run.status == "running"
    run.finish("stopped")


@pytest.mark.parametrize("name", ["CON", "nul", "Aux.best", "COM1", "lpt9.x", "com¹", 3])
def test_names_that_windows_keeps_for_itself_are_refused(run: Run, name: str) -> None:
    with pytest.raises(NameOfState, match="cannot be called"):
        run.save_state(name, {})
    run.save_state("console", {})
    assert run.states() == ["console"]


@pytest.mark.parametrize(
    "value",
    [
        {"$float": "nan"},
        {"$float": {"$float": "inf"}},
        {"$$float": [1, {"$float": 2}]},
        {"$float": "abc"},
        {"$float": "1", "b": 2},
        [{"$$$float": "-inf"}],
    ],
)
def test_a_dictionary_that_looks_like_our_mark_comes_back(run: Run, value: object) -> None:
    run.add_fact(0, "odd", value)
    assert run.facts("odd")[0].data == value


def test_a_record_on_a_share_of_windows_is_found() -> None:
    # SQLite takes no server in an address: https://www.sqlite.org/uri.html, 3.1
    assert store.address_for_sqlite("file://server/my%20share/run.sqlite") == "file:////server/my%20share/run.sqlite"
    assert store.address_for_sqlite("file:///home/me/run.sqlite") == "file:///home/me/run.sqlite"


def test_results_are_noted_before_and_after_the_end(run: Run) -> None:
    run.log({"train/loss": 1.0, "test/accuracy": 0.25}, step=4)
    run.add_result({"test/accuracy": 0.5})
    run.finish()
    run.add_result({"test/accuracy": 0.75, "test/loss": math.nan})
    assert [point[:2] for point in run.metric("test/accuracy")] == [(4, 0.25), (4, 0.5), (4, 0.75)]
    assert run.steps == 5
    if run.folder is not None:
        saved = Run.open(run.folder)
        assert same([point[:2] for point in saved.metric("test/accuracy")], [(4, 0.25), (4, 0.5), (4, 0.75)])
        assert (saved.steps, saved.status) == (5, "finished")
        found = saved.summary()
        assert found["test/accuracy"] == {"count": 3, "step": 4, "last": 0.75, "low": 0.25, "high": 0.75}
        assert (found["test/loss"]["count"], found["test/loss"]["low"]) == (1, None)
        assert math.isnan(found["test/loss"]["last"])
        with pytest.raises(RecordReadOnly):
            saved.add_result({"x": 1.0})
        shutil.rmtree(run.folder)
        with pytest.warns(RecordNotSaved):
            run.add_result({"test/accuracy": 1.0})


class Clock:
    """The module `time`, with a wall clock that is set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)


def test_a_pause_waits_between_two_steps_and_does_not_count(run: Run) -> None:
    events: list[str] = []
    run.subscribe(events.append)
    run.log({"train/loss": 1.0}, step=0)
    assert run.wait_if_paused() == 0.0
    run.request_pause()
    assert (run.pause_requested, run.paused) == (True, False)
    seen: list[bool] = []

    def look_and_go_on() -> None:
        while not run.paused:
            time.sleep(0.005)
        other = Run.open(run.folder) if run.folder is not None else run
        end = time.monotonic() + 5
        while not other.paused and time.monotonic() < end:
            time.sleep(0.02)
        seen.append(other.paused)
        time.sleep(0.1)
        run.go_on()

    thread = threading.Thread(target=look_and_go_on)
    thread.start()
    waited = run.wait_if_paused()
    thread.join()
    assert seen == [True]
    assert waited >= 0.1
    assert (run.pause_requested, run.paused) == (False, False)
    assert events == ["paused", "went on"]
    assert run.duration == pytest.approx(time.time() - run.started - waited, abs=0.2)
    run.finish()
    if run.folder is not None:
        assert not Run.open(run.folder).paused
        assert Run.open(run.folder).duration == pytest.approx(run.duration, abs=0.01)


def test_a_stop_ends_a_pause_and_a_loop_that_was_left_knows_none(run: Run) -> None:
    run.request_pause()
    thread = threading.Timer(0.05, run.request_stop)
    thread.start()
    assert run.wait_if_paused() > 0
    thread.join()
    assert run.stop_requested
    run.request_pause()
    assert not run.pause_requested, "it is about to stop"
    run.rest(TrainingStopped())
    run.request_pause()
    assert not run.pause_requested
    run.resume()
    run.request_pause()
    assert run.pause_requested
    run.rest()
    assert not run.pause_requested
    run.resume()
    run.request_pause()
    run.finish()
    assert not run.pause_requested
    assert run.wait_if_paused() == 0.0


@pytest.mark.skipif(os.name != "posix", reason="sends a signal as Ctrl-C does")
def test_ctrl_c_ends_a_pause(run: Run) -> None:
    run.request_pause()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait_if_paused()
    assert (run.pause_requested, run.paused) == (False, False)


def test_facts_come_a_few_at_a_time(run: Run) -> None:
    run.add_fact(0, "graph", {"operations": 1})
    run.add_fact(0, "memory", {"peak": math.inf})
    first, cursor = run.facts_since(0, wait=True)
    assert [(fact.kind, fact.data) for fact in first] == [("graph", {"operations": 1}), ("memory", {"peak": math.inf})]
    assert run.facts_since(cursor, wait=True) == ([], cursor)
    run.add_fact(7, "graph", {"operations": 2})
    later, cursor = run.facts_since(cursor, wait=True)
    assert [(fact.step, fact.data["operations"]) for fact in later] == [(7, 2)]
    run.finish()
    assert run.facts_since(cursor) == ([], cursor)
    assert len(run.facts_since(0)[0]) == 3
    if run.folder is not None:
        assert Run.open(run.folder).facts_since(0)[0] == run.facts_since(0)[0]
        shutil.rmtree(run.folder)
        assert run.facts_since(0) == ([], 0), "who only looks is not disturbed where the disk is gone"
