"""What ended a process, told from real processes that ended so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from firstlight.lab import deaths
from firstlight.lab.deaths import Action, Death, Witness, bundle
from firstlight.lab.lastwords import MOST_BYTES, LastWords

KIND = "application/vnd.firstlight.death+json"
KEEP = "import sys, time; from pathlib import Path; from firstlight.lab.lastwords import LastWords\n"
KEEP += "words = LastWords(Path(sys.argv[1])); words.begin('first cell'); words.begin('cell')\n"
KEEP += "print('ready', flush=True); sys.stdin.readline()\n"


@pytest.fixture
def ended(tmp_path: Path) -> Callable[[str], Death]:
    """Run a program to its end beside a witness."""

    def end(code: str, number: int | None = None) -> Death:
        words = tmp_path / "kernel.words"
        process = subprocess.Popen(
            [sys.executable, "-c", KEEP + code, str(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            witness = Witness("kernel", process.pid, words)
            witness.look()
            process.stdin.write("\n")
            process.stdin.flush()
            if number is not None:
                process.send_signal(number)
            return witness.tell(process.wait(50))

    return end


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
@pytest.mark.parametrize(
    ("code", "number", "cause"),
    [
        ("time.sleep(50)", signal.SIGKILL, "killed"),
        ("time.sleep(50)", signal.SIGTERM, "killed"),
        ("import ctypes; ctypes.string_at(0)", None, "crash"),
        ("import os; os.abort()", None, "crash"),
        ("import os; os.write(2, b'OMP: Error #15: libiomp5.so ...'); os.abort()", None, "openmp"),
        ('import os; os.write(2, b"terminate called: what():  std::bad_alloc"); os.abort()', None, "memory"),
        ("import os; os._exit(0)", None, "ended"),
        ("sys.exit(4)", None, "ended"),
    ],
)
def test_the_cause_is_told(ended: Callable[..., Death], code: str, number: int | None, cause: str) -> None:
    death = ended(code, number)
    assert death.cause == cause
    assert death.cell == "cell"
    assert death.held_bytes > 5_000_000
    assert death.free_bytes > 0
    told = bundle(death, KIND)
    assert len(told[KIND]["sentences"]) == 3
    assert all(sentence and "{" not in sentence for sentence in told[KIND]["sentences"])
    assert told["text/plain"].startswith(told[KIND]["sentences"][0])
    if cause == "crash":
        assert "File" in told[KIND]["words"], "which line ran"


def test_sigkill_is_for_want_of_memory_where_the_system_says_so_or_hardly_any_was_left() -> None:
    def death(*, full: bool, free: int) -> Death:
        return Death("", 1, -9, memory_was_full=full, held_bytes=1_000_000_000, free_bytes=free)

    assert death(full=True, free=9_000_000_000).cause == "memory"
    assert death(full=False, free=10_000_000).cause == "memory"
    assert death(full=False, free=9_000_000_000).cause == "killed"


class Machine:
    """A machine whose counts of processes that it ended for want of memory are ours to set.

    Args:
        root: Where its files are.
        groups: What its `/proc/PID/cgroup` says.
    """

    def __init__(self, root: Path, groups: str) -> None:
        self.root = root
        self.write("proc/7/cgroup", groups)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def counts(self, *, machine: int, group: int | None = None, file: str = "sys/fs/cgroup/lab/memory.events") -> None:
        """Set the counts, those of the group where it has any."""
        self.write("proc/vmstat", f"oom_kill_other 9\noom_kill {machine}\nnr_free_pages 3\n")
        if group is not None:
            self.write(file, f"oom 0\noom_kill {group}\noom_group_kill 0\n")

    def counters(self) -> list[str]:
        return [str(file.relative_to(self.root)) for file in deaths._counters(7, self.root)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass."""
    now = 1_000.0

    def passes(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(deaths, "time", SimpleNamespace(monotonic=lambda: now))
    return passes


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], Witness]:
    """Somebody who looks at process 7 of such a machine."""

    def begin(machine: Machine) -> Witness:
        monkeypatch.setattr(deaths, "_counters", lambda pid: counters(pid, machine.root))
        return Witness("kernel", 7, tmp_path / "words")

    counters = deaths._counters
    return begin


def test_a_browser_that_was_ended_for_want_of_memory_hours_ago_says_nothing_of_this_end(
    tmp_path: Path, witness: Callable[[Machine], Witness], clock: Callable[[float], None]
) -> None:
    machine = Machine(tmp_path, "0::/\n")
    machine.counts(machine=3)
    seen = witness(machine)
    machine.counts(machine=4)
    seen.look()
    clock(3 * 3600)
    assert not seen.tell(-9).memory_was_full


@pytest.mark.parametrize(
    "looks", [0, 1, 3], ids=["between two looks", "just before one", "of a process that ends slowly"]
)
def test_the_end_of_this_process_for_want_of_memory_is_told(
    looks: int, tmp_path: Path, witness: Callable[[Machine], Witness], clock: Callable[[float], None]
) -> None:
    machine = Machine(tmp_path, "0::/\n")
    machine.counts(machine=3)
    seen = witness(machine)
    for _second in range(5):
        seen.look()
        clock(1)
    machine.counts(machine=4)  # before the process gets the signal, and long before its memory is free
    for _second in range(looks):
        seen.look()
        clock(1)
    assert seen.tell(-9).memory_was_full


def test_the_processs_own_group_knows_better_than_the_machine(
    tmp_path: Path, witness: Callable[[Machine], Witness]
) -> None:
    machine = Machine(tmp_path, "0::/lab\n")
    machine.counts(machine=3, group=0)
    seen = witness(machine)
    machine.counts(machine=4, group=0)
    assert not seen.tell(-9).memory_was_full, "somebody else's process"
    machine.counts(machine=5, group=1)
    assert seen.tell(-9).memory_was_full


def test_where_the_group_has_gone_with_the_process_the_machine_is_asked(
    tmp_path: Path, witness: Callable[[Machine], Witness]
) -> None:
    machine = Machine(tmp_path, "0::/lab\n")
    machine.counts(machine=3, group=0)
    seen = witness(machine)
    seen.look()
    (tmp_path / "sys/fs/cgroup/lab/memory.events").unlink()
    machine.counts(machine=4)
    assert seen.tell(-9).memory_was_full


def test_the_count_of_the_group_is_found(tmp_path: Path) -> None:
    old = "4:memory:/docker/ab\n1:cpu:/docker/ab\n0::/\n"
    assert Machine(tmp_path / "elsewhere", old).counters() == ["proc/vmstat"], (
        "the host's name for it, and no such folder"
    )
    version_1 = Machine(tmp_path / "1", old)
    own = "sys/fs/cgroup/memory/docker/ab/memory.oom_control"
    version_1.counts(machine=1, group=0, file=own)
    assert version_1.counters() == [own, "proc/vmstat"]
    version_1.write(own, "oom_kill_disable 0\nunder_oom 0\n")
    assert version_1.counters() == ["proc/vmstat"], "an old Linux, that does not count there"
    version_2 = Machine(tmp_path / "2", "0::/user/session\n")
    version_2.counts(machine=1, group=0, file="sys/fs/cgroup/user/memory.events")
    assert version_2.counters() == ["sys/fs/cgroup/user/memory.events", "proc/vmstat"], "the nearest that counts"
    version_2.counts(machine=1, group=0, file="sys/fs/cgroup/user/session/memory.events")
    assert version_2.counters() == ["sys/fs/cgroup/user/session/memory.events", "proc/vmstat"]
    outside = Machine(tmp_path / "3", "0::/../other\n")
    outside.counts(machine=1, group=0, file="sys/fs/cgroup/memory.events")
    assert outside.counters() == ["proc/vmstat"], "a group that cannot be seen from here"


def test_what_others_offer_stands_there_as_buttons_and_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def offer(death: Death) -> list[Action]:
        seen.append(death)
        return [Action("Weights of step 1,240", "model.load_state_dict(<weights>)")]

    monkeypatch.setattr(deaths, "offers", [offer])
    death = Death("kernel", 7, -11, memory_was_full=False, held_bytes=1, free_bytes=1)
    told = bundle(death, KIND)
    assert seen == [death]
    assert told[KIND]["actions"] == [{"label": "Weights of step 1,240", "code": "model.load_state_dict(<weights>)"}]
    assert "&lt;weights&gt;" in told["text/html"]
    assert "model.load_state_dict(<weights>)" in told["text/plain"]


def test_words_reach_the_pipe_behind_and_the_file_stays_small(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    words = LastWords(tmp_path / "words", writing)
    try:
        os.write(writing, b"hello")
        words.pass_on()
        assert os.read(reading, 100) == b"hello"
        for _ in range(3 * MOST_BYTES // 50_000):
            os.write(writing, b"x" * 50_000)
            words.pass_on()
            got = 0
            while got < 50_000:
                got += len(os.read(reading, 65_536))
        assert (tmp_path / "words").stat().st_size <= MOST_BYTES + 50_000
        time.sleep(0.25)
        os.write(writing, b"by itself")
        assert os.read(reading, 100) == b"by itself"
    finally:
        os.close(reading)
