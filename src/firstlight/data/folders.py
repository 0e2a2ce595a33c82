"""A folder per class: what the sub-folders are called is what the classes are called."""

import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor

from firstlight.data import cache, cifar
from firstlight.data.card import Card
from firstlight.data.dataset import Dataset
from firstlight.data.errors import ClassesDiffer, EmptyClass, NoClassFolders
from firstlight.data.pictures import SUFFIXES, UNSUPPORTED, read_files
from firstlight.data.progress import note
from firstlight.data.samples import finish, pair
from firstlight.data.sets import entry
from firstlight.locale import _

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
KEPT_FROM = 200  # pictures: fewer are decoded again each time
Labelled = tuple[list[Path], list[int]]


def load_folder(
    folder: Path, *, size: int | tuple[int, int] | None, share: float, seed: int, progress: bool
) -> tuple[Dataset, Dataset]:
    """The pictures below a folder, with or without `train/` and `test/` in it.

    Args:
        folder: Holds one folder per class, or `train/` and `test/` (or `val/`) with one folder per class each.
        size: Size for pictures of different sizes.
        share: Share for a test split, where there is none.
        seed: Which samples are split off.
        progress: Show how far it is.
    """
    if (known := cifar.which(folder)) or (known := cifar.which(folder / "cifar-10-batches-py")):
        return _cifar(folder if cifar.which(folder) else folder / "cifar-10-batches-py", known)
    inner = _unpacked(folder)
    folders = {path.name.lower(): path for path in _folders(inner)}
    card = Card(name=folder.name, place=str(folder.absolute()))
    wanted = None if size is None else pair(size)
    train_folder = next((folders[name] for name in TRAIN_NAMES if name in folders), None)
    test_folder = next((folders[name] for name in TEST_NAMES if name in folders), None)
    if train_folder is not None and test_folder is not None:
        classes, train = _collect(train_folder)
        test_classes, test = _collect(test_folder)
        for name in test_classes:
            if name not in classes:
                raise ClassesDiffer(name=name)
        test = (test[0], [classes.index(test_classes[label]) for label in test[1]])
    else:
        classes, train = _collect(inner)
        test = ([], [])
    paths, numbers = train[0] + test[0], train[1] + test[1]
    inputs, good = _read(folder, paths, numbers, wanted, progress)
    labels = torch.tensor(numbers, dtype=torch.int64)[good]
    count = int((good < len(train[0])).sum())
    for label in sorted(set(train[1]) - set(labels[:count].tolist())):  # not one picture of this class could be read
        read_files([path for path, number in zip(*train, strict=True) if number == label], wanted)
    if test[0] and count == len(good):
        read_files(test[0], wanted)
    return finish(
        (inputs[:count], labels[:count]),
        (inputs[count:], labels[count:]) if test[0] else None,
        classes,
        name=folder.name,
        card=card,
        share=share,
        seed=seed,
    )


def _unpacked(folder: Path) -> Path:
    """The folder, or the only one in it: an unpacked archive often holds photos/photos/cat, photos/photos/dog."""
    inner = folder
    while len(below := _folders(inner)) == 1:
        if any(path.is_file() and path.suffix.lower() in SUFFIXES | UNSUPPORTED for path in below[0].iterdir()):
            return inner  # pictures: this is a class, whatever folders there are beside them
        inner = below[0]
    return inner if below else folder


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path.name))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _collect(folder: Path) -> tuple[list[str], Labelled]:
    """The names of the classes in alphabetical order, and the pictures with the number of their class."""
    found = {path.name: _pictures(path) for path in _folders(folder)}
    if not any(found.values()):
        raise NoClassFolders(folder=folder)
    for name, pictures in found.items():
        if not pictures:
            raise EmptyClass(folder=folder / name, suffixes=", ".join(sorted(SUFFIXES)))
    paths = [path for pictures in found.values() for path in pictures]
    return list(found), (paths, [label for label, pictures in enumerate(found.values()) for _ in pictures])


def _pictures(folder: Path) -> list[Path]:
    """The picture files in a folder and below it, in a fixed order."""
    paths = []
    for top, inner, files in os.walk(folder):
        inner[:] = sorted(name for name in inner if not _hidden(name))
        paths += [Path(top, name) for name in sorted(files) if not _hidden(name)]
    return [path for path in paths if path.suffix.lower() in SUFFIXES | UNSUPPORTED]


def _read(
    folder: Path, paths: list[Path], labels: list[int], size: tuple[int, int] | None, progress: bool
) -> tuple[Tensor, Tensor]:
    """The pictures that can be read, and their positions among the paths. One line tells of the others."""

    def make() -> tuple[cache.Parts, list[str]]:
        inputs, good, faults = read_files(paths, size, progress=progress)
        return {"inputs": inputs, "good": torch.tensor(good, dtype=torch.int64)}, faults

    if len(paths) < KEPT_FROM:
        parts, faults = make()
    else:
        # A file that changes, comes, goes or is sorted elsewhere makes what is kept stale.
        signature = hashlib.sha256(repr(size).encode())
        for path, label in zip(paths, labels, strict=True):
            facts = path.stat()
            signature.update(f"{path.relative_to(folder)}|{label}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
        place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
        parts, faults = cache.remember(f"folder-{folder.name}-{place}", signature.hexdigest(), make)
    if faults:
        note(
            _(
                "{count} of {total} pictures are left out. The first: {fault}",
                count=f"{len(faults):,}",
                total=f"{len(paths):,}",
                fault=faults[0],
            )
        )
    return parts["inputs"], parts["good"]


def _cifar(folder: Path, name: str) -> tuple[Dataset, Dataset]:
    known = entry(name)
    train, test = (cifar.read_folder(folder, name, split) for split in ("train", "test"))
    card = Card(**{**vars(known.card), "place": str(folder.absolute())})
    return finish(train, test, known.classes, name=name, card=card)
