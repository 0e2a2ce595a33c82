"""TensorBoard event files, written by hand: the format is small, and so nobody needs TensorBoard to write them.

A file is a sequence of records: length (8 bytes), its checksum, content, its checksum. The content is an `Event` of
tensorboard/compat/proto/event.proto: field 1 wall_time, 2 step, 3 file_version, 5 summary; a `Summary` holds values
(field 1) with a tag (1) and a number (2).
"""

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.files import gone_if_it_fails, put

if TYPE_CHECKING:
    from firstlight.run.record import Run


def export(run: "Run", folder: Path) -> Path:
    """Write all metrics of a run into one event file in `folder`, and return the file.

    Args:
        run: A run of any status; of one that is going on, what is there by now.
        folder: Made if it does not exist. `tensorboard --logdir` on its parent shows one curve per folder.
    """
    rows, _cursor = run.points_since(0)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{int(run.started):010d}.{socket.gethostname()}.{os.getpid()}.firstlight"
    part = path.with_suffix(".part")
    with gone_if_it_fails(part):
        with part.open("wb") as file:
            file.write(_record(_double(1, run.started) + _bytes(3, b"brain.Event:2")))
            for name, step, value, time in rows:
                summary = _bytes(1, _bytes(1, name.encode()) + _float(2, value))
                file.write(_record(_double(1, time) + _varint(2 << 3) + _varint(step) + _bytes(5, summary)))
        put(part, path)
    return path


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    if abs(value) > 3.4028234e38:  # beyond float32: infinite there
        value = float("inf") if value > 0 else float("-inf")
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as 64-bit two's complement
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _bit in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # the Castagnoli polynomial, reversed
        table.append(byte)
    return table


_TABLE = _crc_table()


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)  # masked, as TFRecord wants it
