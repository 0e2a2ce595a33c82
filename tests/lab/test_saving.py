"""Notebooks on disk: whole or as before, whatever happens while they are written."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firstlight.lab.saving import DISK_FULL, FOLDER_GONE, READ_ONLY, _told, written_whole

WRITER = """
import sys
from pathlib import Path
from firstlight.lab.saving import written_whole
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in "abcdefgh":
        with written_whole(path) as file:
            for _ in range(200):
                file.write(letter * 5_000)
"""


def test_a_kill_in_the_middle_of_writing_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "notes.ipynb"
    path.write_text("a" * 1_000_000)
    for wait_ms in range(5, 45, 5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait_ms / 1000)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        text = path.read_text()
        assert len(text) == 1_000_000
        assert len(set(text)) == 1
    left = list(tmp_path.glob(".*.part"))
    assert left, "none was killed in the middle: this test shows nothing"
    for one in left:
        os.utime(one, (0, 0))
    with written_whole(path) as file:
        file.write("swept")
    assert not list(tmp_path.glob(".*.part"))


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "notes.ipynb"
    path.write_text("old")

    def fail() -> None:
        with written_whole(path) as file:
            file.write("half of the n")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert [one.name for one in tmp_path.iterdir()] == ["notes.ipynb"]
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="links and modes as on Unix")
def test_links_and_modes_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.ipynb", tmp_path / "link.ipynb"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with written_whole(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_the_reason_is_found_however_deep_it_lies(tmp_path: Path) -> None:
    def wrapped(number: int) -> Exception:
        outer = RuntimeError("unexpected error while saving")
        outer.__cause__ = OSError(number, os.strerror(number))
        return outer

    assert _told(wrapped(errno.ENOSPC), tmp_path) is DISK_FULL
    assert _told(wrapped(errno.EROFS), tmp_path) is READ_ONLY
    assert _told(wrapped(errno.ENOENT), tmp_path / "missing") is FOLDER_GONE
    assert _told(wrapped(errno.EPIPE), tmp_path) is None
    assert _told(RuntimeError("something else"), tmp_path) is None


@pytest.mark.jupyter
def test_a_full_a_read_only_and_a_missing_disk_are_told_and_cost_nothing() -> None:
    """The short form of `python -m benchmarks.reliability.disk_full_lab`."""
    from benchmarks.reliability.disk_full_lab import NoDisk, measure

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    try:
        trial = measure(times=4)
    except NoDisk as reason:
        pytest.skip(str(reason))
    assert trial.wrong == []
    assert trial.counts["refused"] >= 3
