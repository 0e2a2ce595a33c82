"""What is kept decoded."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from firstlight.data import cache


@pytest.fixture
def made():
    calls = []

    def make():
        calls.append(1)
        return {"x": torch.arange(1000), "y": torch.ones(3, dtype=torch.uint8)}, {"n": 3}

    make.calls = calls
    return make


def place() -> Path:
    return Path(os.environ["FIRSTLIGHT_DATA"]) / "decoded" / "some"


def test_it_is_made_once_and_mapped(made):
    for _ in range(3):
        parts, facts = cache.remember("some", "1", made)
        assert torch.equal(parts["x"], torch.arange(1000))
        assert parts["y"].dtype == torch.uint8
        assert facts == {"n": 3}
        parts["x"][0] = 77  # stays in this tensor
    assert len(made.calls) == 1
    assert [path.name for path in place().parent.iterdir() if path.name.startswith(".")] == []
    shutil.rmtree(place())
    cache.remember("some", "1", made)
    assert len(made.calls) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_a_class_that_shares_the_folder_can_read_it(made):
    before = os.umask(0o022)
    try:
        cache.remember("some", "1", made)
    finally:
        os.umask(before)
    assert place().stat().st_mode & 0o777 == 0o755
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in place().iterdir())


def test_another_signature_makes_it_anew(made):
    cache.remember("some", "1", made)
    cache.remember("some", "2", made)
    assert len(made.calls) == 2


@pytest.mark.parametrize("damage", ["cut", "gone", "meta", "other"])
def test_damage_makes_it_anew(made, damage):
    cache.remember("some", "1", made)
    if damage == "cut":
        (place() / "x.npy").write_bytes((place() / "x.npy").read_bytes()[:500])
    elif damage == "gone":
        (place() / "x.npy").unlink()
    else:
        (place() / "meta.json").write_text("{" if damage == "meta" else "{}")
    parts, _ = cache.remember("some", "1", made)
    assert torch.equal(parts["x"], torch.arange(1000))
    assert len(made.calls) == 2


def test_a_folder_that_refuses_costs_only_time(made, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(tmp_path / "file"))
    for _ in range(2):
        assert torch.equal(cache.remember("some", "1", made)[0]["x"], torch.arange(1000))
    assert len(made.calls) == 2


def test_a_write_that_fails_costs_only_time(made, monkeypatch):
    place().mkdir(parents=True)
    (place().parent / "some").rmdir()
    (place().parent / "some").write_text("a file where a folder should be")
    assert torch.equal(cache.remember("some", "1", made)[0]["x"], torch.arange(1000))
    assert [path.name for path in place().parent.iterdir() if path.name.startswith(".")] == []
