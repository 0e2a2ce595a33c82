"""What a power cut may find: bytes reach the disk before their name does, and the name before we go on."""

import os
import stat
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.reliability.downloads import CONTENT, QUICK, Server, file, running

from firstlight.data import cache
from firstlight.data.download import fetch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows opens no folders")


@pytest.fixture
def order(monkeypatch):
    """The calls of `os.fsync` and `os.replace`, with the place in the file system that each was made for."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(number):
        fsync(number)
        found = os.fstat(number)
        calls.append(("fsync", found.st_ino, found.st_size if stat.S_ISREG(found.st_mode) else None))

    def note_replace(new, place, **options):
        number = Path(new).stat().st_ino
        replace(new, place, **options)
        calls.append(("replace", number, Path(place).name))

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    monkeypatch.setattr(Path, "replace", lambda new, place: note_replace(new, place))
    return calls


@pytest.mark.parametrize("way", ["folder", "server", "part"])
def test_a_download_is_on_the_disk_before_it_has_its_name(order, monkeypatch, tmp_path, way):
    folder = Path(os.environ["FIRSTLIGHT_DATA"]) / "set"
    if way == "folder":
        (tmp_path / "usb" / "set").mkdir(parents=True)
        (tmp_path / "usb" / "set" / "file.bin").write_bytes(CONTENT)
        monkeypatch.setenv("FIRSTLIGHT_MIRROR", str(tmp_path / "usb"))
    if way == "part":  # whole already, left by a process that was killed
        folder.mkdir(parents=True)
        (folder / "file.bin.part").write_bytes(CONTENT)
    with running(Server()) as server:
        path = fetch(file(server.url("good")), "set", progress=False, patience=QUICK)
    assert path.read_bytes() == CONTENT
    number = path.stat().st_ino
    assert order == [
        ("fsync", number, len(CONTENT)),
        ("replace", number, "file.bin"),
        ("fsync", folder.stat().st_ino, None),
    ]


def test_what_is_kept_decoded_is_on_the_disk_before_it_has_its_name(order):
    def make():
        return {"x": torch.arange(1000), "y": torch.ones(3, dtype=torch.uint8)}, {"n": 3}

    for signature in ("1", "2"):
        order.clear()
        cache.remember("some", signature, make)
        place = Path(os.environ["FIRSTLIGHT_DATA"]) / "decoded" / "some"
        files = {("fsync", one.stat().st_ino, one.stat().st_size) for one in place.iterdir()}
        assert len(files) == 3
        assert set(order[:3]) == files
        assert order[3:] == [
            ("fsync", place.stat().st_ino, None),
            ("replace", place.stat().st_ino, "some"),
            ("fsync", place.parent.stat().st_ino, None),
        ]


def test_a_disk_that_fails_leaves_no_name(monkeypatch):
    def refuse(number):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    parts, facts = cache.remember("some", "1", lambda: ({"x": torch.arange(9)}, 1))
    assert parts["x"].tolist() == list(range(9))
    assert facts == 1
    assert [one.name for one in (Path(os.environ["FIRSTLIGHT_DATA"]) / "decoded").iterdir()] == ["some.lock"]
