"""Small files in the forms that datasets come in."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def idx(path: Path, array: np.ndarray, *, packed: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if packed else data)


def mnist(folder: Path, count: int = 40, *, packed: bool = True) -> None:
    """The four files of MNIST, with few pictures."""
    random = np.random.default_rng(0)
    for stem, n in (("train", count), ("t10k", count // 2)):
        end = ".gz" if packed else ""
        idx(folder / f"{stem}-images-idx3-ubyte{end}", random.integers(0, 256, (n, 28, 28)), packed=packed)
        idx(folder / f"{stem}-labels-idx1-ubyte{end}", np.arange(n) % 10, packed=packed)


def python2_pickle(value: Any) -> bytes:
    """A pickle with the instructions that Python 2 wrote: `str` as bytes, arrays by `numpy.core.multiarray`."""
    out = bytearray(b"\x80\x02")

    def put(item: Any) -> None:
        if item is None:
            out.extend(b"N")
        elif isinstance(item, bool):
            out.extend(b"\x88" if item else b"\x89")
        elif isinstance(item, int):
            out.extend(b"J" + struct.pack("<i", item))
        elif isinstance(item, bytes):
            out.extend(b"T" + struct.pack("<i", len(item)) + item)
        elif isinstance(item, (tuple, list)):
            out.extend(b"(")
            for part in item:
                put(part)
            out.extend(b"t" if isinstance(item, tuple) else b"l")
        elif isinstance(item, dict):
            out.extend(b"(")
            for pair in item.items():
                put(pair[0])
                put(pair[1])
            out.extend(b"d")
        else:
            assert isinstance(item, np.ndarray)
            out.extend(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n")
            put((0,))
            put(b"b")
            out.extend(b"tR(")
            put(1)
            put(item.shape)
            out.extend(b"cnumpy\ndtype\n")
            put((b"u1", 0, 1))
            out.extend(b"R")
            put((3, b"|", None, None, None, -1, -1, 0))
            out.extend(b"b")
            put(False)
            put(item.tobytes())
            out.extend(b"tb")

    put(value)
    return bytes(out + b".")


def cifar_batch(count: int, classes: int, seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)
    labels = [i % classes for i in range(count)]
    key = b"labels" if classes == 10 else b"fine_labels"
    return python2_pickle({b"data": pixels, key: labels, b"filenames": [b"x.png"] * count})


def cifar10(root: Path, count: int = 20) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(cifar_batch(count, 10, number))
    (folder / "test_batch").write_bytes(cifar_batch(count, 10, 6))
    return folder


def cifar100(root: Path) -> Path:
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    (folder / "train").write_bytes(cifar_batch(200, 100, 1))
    (folder / "test").write_bytes(cifar_batch(100, 100, 2))
    (folder / "meta").write_bytes(python2_pickle({b"fine_label_names": [b"x"] * 100}))
    return folder


def photos(
    folder: Path, classes: dict[str, int], *, size: tuple[int, int] = (12, 10), mode: str = "RGB", suffix: str = ".png"
) -> Path:
    """A folder per class, `size` as (width, height); each class has a brightness of its own."""
    random = np.random.default_rng(0)
    for number, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            pixels = random.integers(40 * number, 40 * number + 40, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}{suffix}")
    return folder


def check_words(error: Exception) -> None:
    """What happened, why, what to do."""
    assert len(str(error).splitlines()) >= 3
    assert "{" not in str(error).splitlines()[-1]
