"""CIFAR-10 and CIFAR-100 as their makers distribute them: pickles in a folder, or in the archive of that folder."""

import gzip
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
from firstlight.locale import units

Files = dict[str, tuple[str, ...]]  # split to file names

_MOST_OF_A_FILE, _MOST_OF_ALL = 1 << 28, 1 << 30  # bytes; the files of CIFAR-100 have 155 and 31 million

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
        with _Bounded(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                name = member.name.removeprefix("./").removeprefix(inner + "/")
                if name in names and member.isfile() and member.size <= _MOST_OF_A_FILE:
                    opened = tar.extractfile(member)
                    content[name] = opened.read() if opened else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError) as error:
        raise DamagedFile(path=archive, reason=str(error)) from error
    for name in sorted(names - set(content)):
        raise DamagedFile(path=archive, reason=f"{inner}/{name}?")
    return content


class _Bounded(gzip.GzipFile):
    """An archive that is unpacked so far and no further: a few megabytes may stand for a thousand times as many."""

    def read(self, size: int | None = -1) -> bytes:
        """At most what one file of the dataset may have."""
        if not 0 <= (size or -1) <= _MOST_OF_A_FILE or self.tell() > _MOST_OF_ALL:
            raise tarfile.ReadError(f"> {units.size(_MOST_OF_ALL)}")
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Within what all files may have together."""
        if not 0 <= offset <= _MOST_OF_ALL:
            raise tarfile.ReadError(f"> {units.size(_MOST_OF_ALL)}")
        return super().seek(offset, whence)


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
            told = label if abs(label) < 1 << 64 else "?"  # a number of a thousand digits has no text in Python
            raise LabelOutOfRange(place=f"{path.name}[{row}]", label=told, last=count - 1)
    inputs = torch.from_numpy(pixels.copy()).view(-1, 3, 32, 32)
    return inputs, torch.tensor(labels, dtype=torch.int64)
