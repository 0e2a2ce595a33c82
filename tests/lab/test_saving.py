"""Notebooks on disk: whole or as before, whatever happens while they are written."""

import asyncio
import contextlib
import errno
import os
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight.lab import saving
from firstlight.lab.saving import DISK_FULL, FOLDER_GONE, READ_ONLY, Checkpoints, Contents, _told, written_whole

AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: -1)() != 0, reason="only root can give files to others")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Python reads access lists on Linux only")
SOMEBODY = 12345  # a user and a group that own nothing else
# An access list as Linux keeps it (posix_acl_xattr.h): the owner writes, user 12345 reads, nobody else does anything.
ACCESS = "system.posix_acl_access"
LIST = b"".join(
    [
        struct.pack("<I", 2),
        *(
            struct.pack("<HHI", tag, bits, who)
            for tag, bits, who in (
                (0x01, 6, 0xFFFFFFFF),
                (0x02, 4, SOMEBODY),
                (0x04, 0, 0xFFFFFFFF),
                (0x10, 4, 0xFFFFFFFF),
                (0x20, 0, 0xFFFFFFFF),
            )
        ),
    ]
)

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


@pytest.mark.skipif(os.name == "nt", reason="links as on Unix")
def test_a_kill_while_the_file_itself_is_written_to_leaves_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "notes.ipynb"
    path.write_text("a" * 1_000_000)
    (tmp_path / "other.ipynb").hardlink_to(path)
    for wait_ms in (5, 15, 30):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait_ms / 1000)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        texts = [one.read_text() for one in (path, *tmp_path.glob(".*.part"))]
        assert any(len(text) == 1_000_000 and len(set(text)) == 1 for text in texts), "neither it nor what is beside it"
    assert path.stat().st_nlink == 2


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


def test_what_a_kill_has_torn_keeps_its_whole_copy_until_it_is_saved_again(tmp_path: Path) -> None:
    path, whole = tmp_path / "notes.ipynb", tmp_path / ".notes.ipynb.12345678.part"
    whole.write_text("the whole")
    path.write_text("the wh  old")  # a kill in the middle of writing over it
    for at, one in enumerate((whole, path)):
        os.utime(one, (at, at))
    with contextlib.suppress(RuntimeError), written_whole(path):
        raise RuntimeError
    assert whole.exists()
    with written_whole(path) as file:
        file.write("new")
    assert not whole.exists()


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 249}.ipynb"
    for text in ("first", "second"):
        with written_whole(path) as file:
            file.write(text)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "second"


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


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; those of pytest are root's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def save(path: Path, text: str) -> None:
    with Contents(root_dir=str(path.parent)).atomic_writing(str(path)) as file:
        file.write(text)


@AS_ROOT
def test_a_file_stays_its_owners_and_its_groups_when_root_saves_it(tmp_path: Path) -> None:
    path, own = tmp_path / "notes.ipynb", tmp_path / "own.ipynb"
    path.write_text("old")
    os.chown(path, SOMEBODY, SOMEBODY + 1)
    path.chmod(0o664)
    number = path.stat().st_ino
    save(path, "new")
    assert path.read_text() == "new"
    assert rights(path) == (SOMEBODY, SOMEBODY + 1, 0o664)
    assert path.stat().st_ino != number, "it was replaced, not written over"
    save(own, "a new one")
    assert rights(own)[:2] == (0, 0)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.ipynb", "own.ipynb"]


AS_ANOTHER = """
import os, sys
from pathlib import Path
from firstlight.lab.saving import Contents
path = Path(sys.argv[1])
contents = Contents(root_dir=str(path.parent))
os.setgroups([{group}]); os.setgid({user}); os.setuid({user})
with contents.atomic_writing(str(path)) as file:
    file.write("new")
"""


@AS_ROOT
@pytest.mark.parametrize("mode", [0o775, 0o1777], ids=["of a group", "as /tmp"])
def test_a_file_of_somebody_else_that_one_may_write_to_stays_theirs(mode: int, open_folder: Path) -> None:
    group = SOMEBODY + 1
    os.chown(open_folder, 0, group)
    open_folder.chmod(mode)
    path = open_folder / "shared.ipynb"
    path.write_text("the old one")
    os.chown(path, 0, group)
    path.chmod(0o664)
    code = AS_ANOTHER.format(group=group, user=SOMEBODY)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_text() == "new"
    assert rights(path) == (0, group, 0o664)
    assert list(open_folder.iterdir()) == [path]


@LINUX
def test_an_access_list_stays_and_that_of_the_folder_is_not_taken_instead(tmp_path: Path) -> None:
    with_list, without = tmp_path / "with.ipynb", tmp_path / "without.ipynb"
    for path in (with_list, without):
        path.write_text("old")
        path.chmod(0o600)
    try:
        os.setxattr(with_list, ACCESS, LIST)
    except OSError as reason:
        pytest.skip(f"no access lists on this disk: {reason}")
    before, number = rights(with_list), with_list.stat().st_ino
    save(with_list, "new")
    assert (with_list.read_text(), os.getxattr(with_list, ACCESS), rights(with_list)) == ("new", LIST, before)
    assert with_list.stat().st_ino != number, "it was replaced, not written over"
    os.setxattr(tmp_path, "system.posix_acl_default", LIST)
    save(without, "new")
    assert without.read_text() == "new"
    assert ACCESS not in os.listxattr(without)
    assert rights(without)[2] == 0o600


@pytest.mark.skipif(os.name == "nt", reason="modes as on Unix")
def test_while_a_private_file_is_written_nobody_else_reads_it_and_nobody_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "private.ipynb"
    path.write_text("old")
    path.chmod(0o600)
    with Contents(root_dir=str(tmp_path)).atomic_writing(str(path)) as file:
        (part,) = tmp_path.glob(".*.part")
        assert rights(part)[2] == 0o600
        file.write("new")
    contents = Contents(root_dir=str(tmp_path))
    checkpoints = Checkpoints(parent=contents)
    copy = tmp_path / ".ipynb_checkpoints" / "private-checkpoint.ipynb"
    copy.parent.mkdir()
    copy.write_text("older")
    copy.chmod(0o644)
    asyncio.run(checkpoints.create_checkpoint(contents, "private.ipynb"))
    assert copy.read_text() == "new"
    assert rights(copy)[2] == 0o600
    path.chmod(0o640)
    asyncio.run(checkpoints.restore_checkpoint(contents, "checkpoint", "private.ipynb"))
    assert rights(path)[2] == 0o640, "a notebook keeps its own"


@pytest.mark.skipif(os.name == "nt", reason="links as on Unix")
@pytest.mark.parametrize("new", ["longer than the old one", "short"])
def test_other_names_of_a_file_stay_also_when_it_goes_back(new: str, tmp_path: Path) -> None:
    path, other = tmp_path / "notes.ipynb", tmp_path / "other.ipynb"
    path.write_text("the old one")
    other.hardlink_to(path)
    save(path, new)
    assert other.read_text() == new
    contents = Contents(root_dir=str(tmp_path))
    checkpoints = Checkpoints(parent=contents)
    asyncio.run(checkpoints.create_checkpoint(contents, "notes.ipynb"))
    save(path, "something else that is longer")
    asyncio.run(checkpoints.restore_checkpoint(contents, "checkpoint", "notes.ipynb"))
    assert path.read_text() == other.read_text() == new
    assert path.stat().st_nlink == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == [".ipynb_checkpoints", "notes.ipynb", "other.ipynb"]


@pytest.mark.skipif(os.name == "nt", reason="links as on Unix")
def test_where_the_place_is_held_the_file_itself_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mounted.ipynb"
    path.write_text("old")

    def held(self: Path, target: Path) -> Path:
        raise OSError(errno.EBUSY, "Device or resource busy")  # as for a file that is mounted into a container

    monkeypatch.setattr(Path, "replace", held)
    save(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@AS_ROOT
def test_a_full_disk_costs_nothing_where_the_file_itself_is_written_to(tmp_path: Path) -> None:
    from benchmarks.reliability.disk_full_lab import NoDisk, small_disk

    try:
        with small_disk(tmp_path / "disk", 1_000_000) as disk:
            path, other = disk / "notes.ipynb", disk / "other.ipynb"
            path.write_text("o" * 100_000)
            other.hardlink_to(path)
            with pytest.raises(OSError, match="No space"):
                save(path, "n" * 600_000)  # there is room for it beside the old one, and then no more
            assert path.read_text() == "o" * 100_000
            assert sorted(one.name for one in disk.iterdir()) == ["notes.ipynb", "other.ipynb"]
    except NoDisk as reason:
        pytest.skip(str(reason))


@pytest.mark.skipif(os.name == "nt", reason="links as on Unix")
def test_an_error_in_the_middle_of_the_file_itself_puts_the_old_bytes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "notes.ipynb", tmp_path / "other.ipynb"
    path.write_text("the old one")
    other.hardlink_to(path)
    fill, calls = saving._fill, 0

    def broken(file: object, content: bytes, start: int) -> None:
        nonlocal calls
        calls += 1
        fill(file, content[:3] if calls == 2 else content, start)
        if calls == 2:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(saving, "_fill", broken)
    with pytest.raises(OSError, match="Input/output"):
        save(path, "something that is new")
    assert calls == 3
    assert path.read_text() == "the old one"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.ipynb", "other.ipynb"]


@pytest.mark.skipif(os.name == "nt", reason="links as on Unix")
def test_a_link_into_a_folder_that_cannot_be_written_to_is_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, mine = tmp_path / "closed", tmp_path / "mine"
    closed.mkdir()
    mine.mkdir()
    real, link = closed / "real.ipynb", mine / "link.ipynb"
    real.write_text("old")
    link.symlink_to(real)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and access(path, mode))
    replaced = []
    monkeypatch.setattr(Path, "replace", lambda self, target: replaced.append(self))
    save(link, "new")
    assert link.is_symlink()
    assert (real.read_text(), replaced) == ("new", [])


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
