"""What ended a process, told from real processes that ended so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
