"""CIFAR-10 and CIFAR-100 as their makers distribute them: pickles in a folder, or in the archive of that folder."""

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.data import cache
from firstlight.data.card import Card
from firstlight.data.download import fetch
from firstlight.data.errors import DamagedFile, LabelOutOfRange
from firstlight.data.pickles import read_pickle
from firstlight.data.places import data_folder, find
from firstlight.data.preprocess import channel_statistics
from firstlight.data.progress import note
from firstlight.data.sets import Samples

Files = dict[str, tuple[str, ...]]  # split to file names

TEN: Files = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
HUNDRED: Files = {"train": ("train",), "test": ("test",)}


def samples(card: Card, classes: tuple[str, ...], split: str, *, progress: bool) -> Samples:
    """Pictures, labels, where they were read from, and their statistics.

    Looked for in this order: decoded already; a folder that torchvision or a person unpacked; an archive; the mirrors.

    Shape:
        pictures: (N, 3, 32, 32), `uint8`
        labels: (N,), `int64`
    """
    inner, files = layout(card.name)

    def make() -> tuple[cache.Parts, Any]:
        for source in find(card.name, inner, card.downloads[0].name):
            try:
                parts = _parts(source, inner, files, len(classes))
                break
            except DamagedFile as error:
                if data_folder().absolute() in source.parents:  # where the person put it: to be told, not passed over
                    raise
                note(str(error).splitlines()[0])  # a download in ./data that another program did not finish
        else:
            source = fetch(card.downloads[0], card.name, progress=progress)
            parts = _parts(source, inner, files, len(classes))
        # The statistics are kept too: counting them needs every pixel, and loading should not.
        return parts, {"place": str(source), "statistics": channel_statistics(parts["train_inputs"])}

    parts, facts = cache.remember(card.name, "1", make)
    mean, std = facts["statistics"]
    return Samples(parts[f"{split}_inputs"], parts[f"{split}_labels"], facts["place"], (mean, std))


def layout(name: str) -> tuple[str, Files]:
    """The folder's name and the files of each split."""
    return ("cifar-10-batches-py", TEN) if name == "cifar10" else ("cifar-100-python", HUNDRED)


def which(folder: Path) -> str | None:
    """The dataset whose files lie in this folder, if they are one of the two."""
    if all((folder / name).is_file() for name in ("data_batch_1", "test_batch")):
        return "cifar10"
    if all((folder / name).is_file() for name in ("train", "test", "meta")):
        return "cifar100"
    return None


def read_folder(folder: Path, name: str, split: str) -> tuple[Tensor, Tensor]:
    """Pictures and labels from a folder that the person named."""
    inner, files = layout(name)
    count = 10 if name == "cifar10" else 100
    return next((inputs, labels) for part, inputs, labels in _read(folder, inner, {split: files[split]}, count))


def _parts(source: Path, inner: str, files: Files, count: int) -> cache.Parts:
    parts: cache.Parts = {}
    for part, inputs, labels in _read(source, inner, files, count):
        parts[f"{part}_inputs"], parts[f"{part}_labels"] = inputs, labels
    return parts


def _read(source: Path, inner: str, files: Files, count: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    if source.is_dir():
        found = {name: (source / name).read_bytes for names in files.values() for name in names}
        content: dict[str, Any] = {}
        for name, read in found.items():
            try:
                content[name] = read()
            except FileNotFoundError as error:
                raise DamagedFile(path=source / name, reason=str(error.strerror)) from error
    else:
        content = _unpack(source, inner, {name for names in files.values() for name in names})
    for split, names in files.items():
        batches = [_batch(source / name, content.pop(name), count) for name in names]
        yield split, torch.cat([inputs for inputs, _ in batches]), torch.cat([labels for _, labels in batches])


def _unpack(archive: Path, inner: str, names: set[str]) -> dict[str, bytes]:
    """The wanted files of the archive, in memory: nothing is written, so no name in it can lead astray."""
    content = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = member.name.removeprefix("./").removeprefix(inner + "/")
                if name in names and member.isfile() and member.size < 1 << 28:
                    stream = tar.extractfile(member)
                    content[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DamagedFile(path=archive, reason=str(error)) from error
    for name in sorted(names - set(content)):
        raise DamagedFile(path=archive, reason=f"{inner}/{name}?")
    return content


def _batch(path: Path, data: bytes, count: int) -> tuple[Tensor, Tensor]:
    held = read_pickle(path, data)
    if not isinstance(held, dict):
        raise DamagedFile(path=path, reason=type(held).__name__)
    held = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in held.items()}
    pixels, labels = held.get("data"), held.get("labels" if count == 10 else "fine_labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise DamagedFile(path=path, reason="data")
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(type(label) is int for label in labels):
        raise DamagedFile(path=path, reason="labels")
    for row, label in enumerate(labels):
        if not 0 <= label < count:
            raise LabelOutOfRange(place=f"{path.name}[{row}]", label=label, last=count - 1)
    inputs = torch.from_numpy(pixels.copy()).view(-1, 3, 32, 32)
    return inputs, torch.tensor(labels, dtype=torch.int64)
