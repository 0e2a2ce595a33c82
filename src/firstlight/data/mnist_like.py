"""MNIST and the datasets that took over its four files: read, checked, kept decoded."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from firstlight.data import cache
from firstlight.data.card import Card, Download
from firstlight.data.download import fetch
from firstlight.data.errors import DamagedFile
from firstlight.data.idx import find_idx, read_idx
from firstlight.data.places import roots

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def samples(
    card: Card, torchvision: str, split: str, *, progress: bool, among: tuple[Path, ...] = ()
) -> tuple[Tensor, Tensor, str]:
    """Pictures, labels and where they were read from.

    Args:
        card: The dataset's card, with its downloads.
        torchvision: The name of the folder that torchvision makes for it.
        split: "train" or "test".
        progress: Show how far a download is.
        among: Further folders in which the four files may lie.

    Shape:
        pictures: (N, 1, 28, 28), `uint8`
        labels: (N,), `int64`
    """

    def make() -> tuple[cache.Parts, str]:
        for folder in _folders(card.name, torchvision, among):
            files = [find_idx(folder, stem) for stem in STEMS[split]]
            if all(files):
                return _read(*[file for file in files if file]), str(folder.absolute())
        files = [fetch(_download(card, stem), card.name, progress=progress) for stem in STEMS[split]]
        return _read(*[file for file in files if file]), str(files[0].parent) if files[0] else ""

    parts, place = cache.remember(f"{card.name}-{split}", "1", make)
    return parts["inputs"], parts["labels"], place


def _folders(name: str, torchvision: str, among: tuple[Path, ...]) -> Iterator[Path]:
    for root in roots(name)[:1]:  # the four names are common to several datasets: only a folder of its own counts
        yield root
    for root in roots(name)[1:]:
        yield root / torchvision / "raw"
    yield from among


def _download(card: Card, stem: str) -> Download:
    return next(file for file in card.downloads if file.name.startswith(stem))


def _read(images: Path, labels: Path) -> cache.Parts:
    pictures, numbers = read_idx(images, 3), read_idx(labels, 1)
    if pictures.shape[1:] != (28, 28) or len(pictures) != len(numbers) or len(numbers) == 0:
        raise DamagedFile(path=images, reason=f"{tuple(pictures.shape)} / {tuple(numbers.shape)}")
    if int(numbers.max()) > 9:
        raise DamagedFile(path=labels, reason=f"label {int(numbers.max())}")
    return {"inputs": pictures.unsqueeze(1), "labels": numbers.to(torch.int64)}
