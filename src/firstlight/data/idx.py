"""The IDX format of MNIST and its relatives: a few bytes of header, then the numbers. Shapes: N samples, H, W."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from firstlight.data.errors import DamagedFile

_MOST = 1 << 28  # bytes, unpacked; MNIST's largest file has 47 million


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The `uint8` numbers of an IDX file, packed with gzip or not.

    Args:
        path: The file.
        dimensions: How many it must have: 3 for pictures, 1 for labels.

    Shape:
        output: (N, H, W) or (N,)

    Raises:
        DamagedFile: It is not such a file, or cut off.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            zero, kind, found = struct.unpack(">HBB", stream.read(4))
            if (zero, kind, found) != (0, 8, dimensions):
                raise DamagedFile(path=path, reason=f"header {zero}, {kind}, {found}")
            shape = struct.unpack(f">{found}I", stream.read(4 * found))
            if not 0 < math.prod(shape) <= _MOST:
                raise DamagedFile(path=path, reason=f"shape {shape}")
            data = stream.read(math.prod(shape) + 1)
    except (struct.error, EOFError, zlib.error, OSError) as error:
        raise DamagedFile(path=path, reason=str(error)) from error
    if len(data) != math.prod(shape):
        raise DamagedFile(path=path, reason=f"{len(data)} / {math.prod(shape)} bytes")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(shape)


def find_idx(folder: Path, stem: str) -> Path | None:
    """An IDX file in a folder under one of the names by which it goes, with or without `.gz`."""
    for name in (f"{stem}.gz", stem):
        if (folder / name).is_file():
            return folder / name
    return None
