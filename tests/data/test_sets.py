"""Every dataset of the catalogue has the same form."""

import dataclasses
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.data import Card, Dataset, Tree, cifar, load, mnist_like, sets
from firstlight.data.download import sha256
from tests.data import makers

NAMES = sets.names()
SMALL = Path(sets.__file__).parent / "embedded"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def in_place(tmp_path, monkeypatch):
    """Small files in the official forms, in the data folder."""
    root = Path(os.environ["FIRSTLIGHT_DATA"])
    makers.mnist(root / "mnist")
    makers.mnist(root / "fashion_mnist")
    makers.cifar10(root / "cifar10")
    makers.cifar100(root)
    monkeypatch.chdir(tmp_path)


def test_the_catalogue_is_complete():
    assert NAMES == ["arithmetic", "cifar10", "cifar100", "fashion_mnist", "fashion_mnist_small", "mnist"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("in_place")
def test_one_form(name):
    train, test = load(name)
    for dataset, split in ((train, "train"), (test, "test")):
        assert isinstance(dataset, Dataset)
        assert (dataset.name, dataset.split) == (name, split)
        assert dataset.labels.dtype == torch.int64
        assert dataset.labels.shape == (len(dataset),)
        assert 0 <= int(dataset.labels.min()) <= int(dataset.labels.max()) < len(dataset.classes)
        assert len(set(dataset.classes)) == len(dataset.classes)
        assert all(isinstance(one, str) for one in dataset.classes)
        assert isinstance(dataset.preprocess, nn.Module)
        assert len(dataset.inputs) == len(dataset)
        assert name in repr(dataset)
        if name == "arithmetic":
            assert all(isinstance(tree, Tree) for tree in dataset.inputs)
            trees, labels = next(iter(dataset.batches(8)))
            assert isinstance(trees, list)
            assert [tree.value % 10 for tree in trees] == labels.tolist()
        else:
            assert dataset.inputs.dtype == torch.uint8
            assert dataset.inputs.ndim == 4
            assert dataset.inputs.shape[1] in (1, 3)
            inputs, labels = next(iter(dataset.batches(8)))
            assert inputs.dtype == torch.float32
            assert inputs.shape == (8, *dataset.inputs.shape[1:])
    assert train.preprocess is test.preprocess
    assert train.classes == test.classes
    # The second time gives the same, from what was kept.
    again, _ = load(name)
    assert torch.equal(again.labels, train.labels)
    if name != "arithmetic":
        assert torch.equal(again.inputs, train.inputs)
        assert torch.equal(again.preprocess.mean, train.preprocess.mean)


@pytest.mark.parametrize("name", NAMES)
def test_cards_say_source_licence_and_checksums(name):
    card = sets.entry(name).card
    assert card.name == name
    assert card.source
    assert card.licence
    assert card.text is not None
    text = str(card)
    assert card.licence in text
    assert len(text.splitlines()) >= 5
    for file in card.downloads:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size_bytes > 1000
        assert file.urls
        assert all(url.endswith(file.name) or f"{file.name}?" in url for url in file.urls)
    assert bool(card.downloads) == (name not in ("arithmetic", "fashion_mnist_small"))


def test_the_embedded_dataset_is_small_balanced_licensed_and_quick():
    start = time.perf_counter()
    train, test = load("fashion_mnist_small")
    assert time.perf_counter() - start < 1
    assert (len(train), len(test)) == (10_000, 2_000)
    assert torch.bincount(train.labels).tolist() == [1000] * 10
    assert torch.bincount(test.labels).tolist() == [200] * 10
    assert sum(path.stat().st_size for path in SMALL.iterdir()) < 6_000_000
    licence = (SMALL / "LICENSE-fashion-mnist.txt").read_text(encoding="utf-8")
    assert "Zalando" in licence
    assert "THE SOFTWARE IS PROVIDED" in licence


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_the_embedded_dataset_is_what_its_script_builds(tmp_path):
    script = Path(__file__).parents[2] / "tools/build_fashion_mnist_small.py"
    subprocess.run([sys.executable, script, "--target", tmp_path], check=True, capture_output=True)
    from PIL import Image

    built, ours = (np.array(Image.open(folder / "fashion_mnist_small.png")) for folder in (tmp_path, SMALL))
    assert np.array_equal(built, ours)
    names = "fashion_mnist_small_labels.npy"
    assert np.array_equal(np.load(tmp_path / names), np.load(SMALL / names))


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_debians_fashion_mnist_is_used(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    train, test = load("fashion_mnist", progress=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert torch.bincount(train.labels).tolist() == [6000] * 10
    assert train.card.place == str(DEBIAN)
    # Published for the whole dataset: mean 0.2860, standard deviation 0.3530.
    assert train.preprocess.mean.item() == pytest.approx(0.2860, abs=1e-4)
    assert train.preprocess.std.item() == pytest.approx(0.3530, abs=1e-4)
    start = time.perf_counter()
    load("fashion_mnist")
    assert time.perf_counter() - start < 2


def test_a_torchvision_folder_is_used(monkeypatch, tmp_path):
    makers.mnist(tmp_path / "data" / "MNIST" / "raw", packed=False)
    monkeypatch.chdir(tmp_path)
    train, test = load("mnist")
    assert (len(train), len(test)) == (40, 20)
    assert train.card.place == str(tmp_path / "data" / "MNIST" / "raw")


def checksummed(card: Card, source: Path) -> Card:
    """The card with the sizes and checksums of these files."""
    files = tuple(
        dataclasses.replace(one, sha256=sha256(source / one.name), size_bytes=(source / one.name).stat().st_size)
        for one in card.downloads
    )
    return dataclasses.replace(card, downloads=files)


def test_what_is_nowhere_on_this_machine_is_fetched(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    mirror = tmp_path / "mirror"
    monkeypatch.setenv("FIRSTLIGHT_MIRROR", str(mirror))
    makers.mnist(mirror / "mnist")
    card = checksummed(sets.entry("mnist").card, mirror / "mnist")
    pictures, labels, place = mnist_like.samples(card, "MNIST", "train", progress=False)
    assert (len(pictures), len(labels)) == (40, 40)
    assert place == str(Path(os.environ["FIRSTLIGHT_DATA"]) / "mnist")
    makers.cifar10(tmp_path / "made")
    (mirror / "cifar10").mkdir()
    with tarfile.open(mirror / "cifar10" / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
    entry = sets.entry("cifar10")
    samples = cifar.samples(checksummed(entry.card, mirror / "cifar10"), entry.classes, "test", progress=False)
    assert samples.inputs.shape == (20, 3, 32, 32)
    assert samples.place.endswith("cifar-10-python.tar.gz")


def test_pictures_of_the_catalogue_can_be_resized():
    train, _ = load("fashion_mnist_small", size=(14, 20))
    assert train.inputs.shape[2:] == (14, 20)
    assert train.preprocess.size == (14, 20)


def test_arithmetic_is_repeatable_and_its_splits_do_not_meet():
    (train, test), (same, _), (other, _) = (load("arithmetic", seed=seed) for seed in (0, 0, 1))
    assert train.inputs == same.inputs
    assert train.inputs != other.inputs
    assert not set(train.inputs) & set(test.inputs)
    assert len({(tree.depth, str(tree).count("(")) for tree in train.inputs}) > 10
    tree = train.inputs[0]
    assert eval(str(tree)) == tree.value
