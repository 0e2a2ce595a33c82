"""CIFAR from folders, archives, and the copy beside the repository."""

import os
import pickle
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from firstlight.data import errors, load
from tests.data import makers

SHARED = Path(__file__).parents[3] / "shared/data/cifar10.py"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def data() -> Path:
    return Path(os.environ["FIRSTLIGHT_DATA"])


def test_folders_are_found_where_torchvision_and_people_put_them(tmp_path, monkeypatch):
    for place in (tmp_path, tmp_path / "data", data(), data() / "cifar10"):  # a later one comes before an earlier
        folder = makers.cifar10(place)
        train, test = load("cifar10")
        assert (len(train), len(test)) == (100, 20)
        assert train.card.place == str(folder)
        for kept in (data() / "decoded").iterdir():
            if kept.is_dir():
                for file in kept.iterdir():
                    file.unlink()


def test_pixels_are_the_files_pixels():
    makers.cifar10(data())
    train, _ = load("cifar10")
    expected = np.random.default_rng(1).integers(0, 256, (20, 3072), dtype=np.uint8).reshape(20, 3, 32, 32)
    assert np.array_equal(train.inputs[:20].numpy(), expected)
    assert train.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    again, _ = load("cifar10")
    again.inputs[0] = 0  # in memory only
    assert np.array_equal(load("cifar10")[0].inputs[:20].numpy(), expected)


def test_an_archive_is_read_in_memory(tmp_path):
    makers.cifar10(tmp_path / "made")
    (data() / "cifar10").mkdir(parents=True)
    with tarfile.open(data() / "cifar10" / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
        tar.add(SHARED if SHARED.exists() else __file__, "../../outside.txt")
    train, test = load("cifar10")
    assert (len(train), len(test)) == (100, 20)
    assert not list(tmp_path.rglob("outside.txt"))
    assert not (data().parent / "outside.txt").exists()


def test_a_folder_by_its_path(tmp_path):
    folder = makers.cifar10(tmp_path / "x")
    for path in (folder, folder.parent):
        train, test = load(path)
        assert (train.name, len(train), len(test)) == ("cifar10", 100, 20)
        assert train.classes[0] == "airplane"
    hundred, _ = load(makers.cifar100(tmp_path / "y"))
    assert (hundred.name, len(hundred.classes)) == ("cifar100", 100)


def test_a_cut_archive(tmp_path):
    makers.cifar10(tmp_path / "made")
    data().mkdir(parents=True)
    archive = data() / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
    archive.write_bytes(archive.read_bytes()[:100_000])
    with pytest.raises(errors.DamagedFile, match=r"cifar-10-python\.tar\.gz is damaged"):
        load("cifar10")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py" / "test_batch", "cifar-10-batches-py/test_batch")
    with pytest.raises(errors.DamagedFile, match="data_batch_1"):
        load("cifar10")


def test_an_unfinished_archive_elsewhere_is_passed_over(tmp_path, monkeypatch, capsys):
    """What another program began to download into ./data; the next place has the whole."""
    monkeypatch.chdir(tmp_path)
    makers.cifar10(tmp_path / "made")
    (tmp_path / "data").mkdir()
    archive = tmp_path / "data" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
    archive.write_bytes(archive.read_bytes()[:100_000])
    (tmp_path / "made" / "cifar-10-batches-py").rename(tmp_path / "cifar-10-batches-py")
    train, test = load("cifar10")
    assert (len(train), len(test)) == (100, 20)
    assert train.card.place == str(tmp_path / "cifar-10-batches-py")
    assert "cifar-10-python.tar.gz is damaged" in capsys.readouterr().err


GOOD = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}


@pytest.mark.parametrize(
    ("batch", "error", "says"),
    [
        (makers.python2_pickle([1]), errors.DamagedFile, "list"),
        (makers.python2_pickle({**GOOD, b"data": np.zeros((2, 5), np.uint8)}), errors.DamagedFile, "data"),
        (makers.python2_pickle({**GOOD, b"data": None}), errors.DamagedFile, "data"),
        (makers.python2_pickle({**GOOD, b"labels": [0]}), errors.DamagedFile, "labels"),
        (makers.python2_pickle({**GOOD, b"labels": [0, b"x"]}), errors.DamagedFile, "labels"),
        (makers.python2_pickle({**GOOD, b"labels": [0, 10]}), errors.LabelOutOfRange, r"data_batch_3\[1\] is 10"),
        (pickle.dumps(print), errors.HostilePickle, "print"),
        (b"", errors.DamagedFile, "data_batch_3"),
    ],
)
def test_damaged_batches_are_named(batch, error, says):
    (makers.cifar10(data()) / "data_batch_3").write_bytes(batch)
    with pytest.raises(error, match=says):
        load("cifar10")


def test_a_missing_batch_is_named():
    (makers.cifar10(data()) / "data_batch_3").unlink()
    with pytest.raises(errors.DamagedFile, match="data_batch_3"):
        load("cifar10")


@pytest.mark.parametrize("damage", ["header", "short", "labels", "count"])
def test_damaged_idx_files_are_named(damage):
    folder = data() / "mnist"
    makers.mnist(folder, packed=False)
    images, labels = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    if damage == "header":
        images.write_bytes(b"\x00\x00\x0d\x03" + bytes(100))
    elif damage == "short":
        images.write_bytes(images.read_bytes()[:-5])
    elif damage == "labels":
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x0a")
    else:
        makers.idx(labels, np.zeros(7), packed=False)
    with pytest.raises(errors.DamagedFile, match="train-"):
        load("mnist")


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b" + bytes(50), b"", bytes(4) * 9])
def test_files_that_are_no_idx(content):
    makers.mnist(data() / "mnist")
    (data() / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(errors.DamagedFile, match="train-images"):
        load("mnist")


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    if not SHARED.exists():
        pytest.skip(f"needs {SHARED}, which lays out real photos as CIFAR-10 does")
    folder = tmp_path_factory.mktemp("cifar")
    subprocess.run([sys.executable, SHARED, folder], check=True)
    return folder


@pytest.mark.slow
def test_the_real_photos(real, monkeypatch):
    monkeypatch.chdir(real)
    (real / "data").mkdir(exist_ok=True)
    (real / "cifar-10-batches-py").rename(real / "data" / "cifar-10-batches-py")
    train, test = load("cifar10")
    assert (len(train), len(test)) == (50_000, 10_000)
    assert torch.bincount(train.labels).tolist() == [5000] * 10
    with (real / "data/cifar-10-batches-py/data_batch_2").open("rb") as stream:
        batch = pickle.load(stream, encoding="bytes")  # our own file; what torchvision does
    assert np.array_equal(train.inputs[10_000:20_000].numpy().reshape(-1, 3072), batch[b"data"])
    assert train.labels[10_000:20_000].tolist() == batch[b"labels"]
    # Published for the original photos: mean 0.4914 0.4822 0.4465, deviation 0.2470 0.2435 0.2616.
    assert train.preprocess.mean.flatten().tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)
    assert train.preprocess.std.flatten().tolist() == pytest.approx([0.2470, 0.2435, 0.2616], abs=5e-3)
    start = time.perf_counter()
    again, _ = load("cifar10")
    assert time.perf_counter() - start < 0.5
    assert torch.equal(again.inputs[::100], train.inputs[::100])
