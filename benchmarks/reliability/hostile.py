"""Files that want to do harm, given to every reader of ours: what they ran, what they took, what was said of them.

    python -m benchmarks.reliability.hostile [--only WORD] [--short] [--list] [--json]

Each file is made by this script, in a folder that goes away, and read by a process of its own, forked for it, that may
take so much memory, disk and time. A file that is refused must be refused in our own words, which name it; any other
exception counts as unhandled. Code counts as run where a canary file came to be, where the interpreter's own audit saw
a pickle look up a function, or where another program was started. Some files are merely odd and are to be read.

Memory is what the process grew by at its highest, from before the reading, as Linux counts it (VmHWM); disk is what its
folders grew by. `--short` leaves out the large ones.
"""

import argparse
import contextlib
import gc
import gzip
import io
import json
import os
import pickle
import resource
import signal
import sqlite3
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tests.data import makers

import firstlight as fl
from benchmarks.harness import machine_line
from firstlight.cli.doctor import doctor
from firstlight.data.pickles import read_pickle
from firstlight.doctor.examining import examine
from firstlight.errors import FirstlightError
from firstlight.graph.recorded import NoLook
from firstlight.lab.folder import prepare
from firstlight.run import Run
from firstlight.run.listing import runs
from firstlight.run.store import FILE

MEMORY_BAR = 1 << 30  # bytes that reading one file may take
DISK_BAR = 64 << 20
LIMIT_S, WAIT_S = 60, 180  # of processor time, and by the clock
WORLD = ("FIRSTLIGHT_DATA", "FIRSTLIGHT_RUNS", "FIRSTLIGHT_HOME", "FIRSTLIGHT_CACHE", "TMPDIR")
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.startfile")
Made = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        name: Kind and fault, such as "archive/bomb".
        make: Writes it into the folder, and gives what reads it.
        refused: Whether it must be refused (True), read (False), or either.
        named: What the error must name; the file, mostly.
        is_large: Left out by `--short`.
    """

    name: str
    make: Callable[[Path], Made]
    refused: bool | None = True
    named: str = ""
    is_large: bool = False


CASES: dict[str, Case] = {}


def case(
    name: str, named: str = "", *, refused: bool | None = True, large: bool = False
) -> Callable[[Callable[[Path], Made]], Callable[[Path], Made]]:
    def register(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
        CASES[name] = Case(name, make, refused, named, large)
        return make

    return register


def canary() -> Path:
    return Path(os.environ["FIRSTLIGHT_CANARY"])


class Evil:
    """Touches the canary where somebody unpickles it with code enabled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{canary()}'",)


def load(path: Path, **options: Any) -> Made:
    return lambda: fl.load(path, progress=False, **options)


# Checkpoints: `checkpoints/best.safetensors` of a run.


def saved_run(folder: Path) -> Path:
    run = Run.start("kept", folder=folder / "runs")
    for step in range(30):
        run.log({"train/loss": 1.0 / (step + 1), "test/accuracy": step / 30}, step=step)
    run.add_fact(0, "note", {"a": 1})
    run.save_state("best", {"w": torch.arange(6.0), "b": torch.ones(2)}, {"epoch": 3})
    run.finish()
    assert run.folder is not None
    return run.folder


def state(content: Callable[[bytes], bytes], folder: Path) -> Made:
    run = saved_run(folder)
    path = run / "checkpoints" / "best.safetensors"
    path.write_bytes(content(path.read_bytes()))
    return lambda: Run.open(run).load_state("best")


def safetensors(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


def pt(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


NESTED = "[" * 100_000 + "]" * 100_000
CHECKPOINTS: dict[str, Callable[[bytes], bytes]] = {
    "pickle with code": lambda _whole: pickle.dumps(Evil()),
    "torch.save with code": lambda _whole: pt({"w": Evil()}),
    "header of 2^63 bytes": lambda whole: struct.pack("<Q", 1 << 63) + whole[8:],
    "header of 90 MB that are not there": lambda whole: struct.pack("<Q", 90_000_000) + whole[8:],
    "header without an end": lambda _whole: safetensors(b'{"w": ' + b"[" * 200_000),
    "cut off": lambda whole: whole[: len(whole) // 2],
    "a changed byte": lambda whole: whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:],
    "empty": lambda _whole: b"",
    "offsets beyond the file": lambda _whole: safetensors(tensor(shape=[1 << 40], data_offsets=[0, 1 << 42]), bytes(8)),
    "a shape that overflows": lambda _whole: safetensors(tensor(shape=[1 << 33, 1 << 33]), bytes(8)),
    "a type that is none": lambda _whole: safetensors(tensor(dtype="OBJECT"), bytes(8)),
    "offsets of words": lambda _whole: safetensors(tensor(data_offsets=["0", "8"]), bytes(8)),
    "nested JSON": lambda _whole: safetensors(tensor() | {"__metadata__": {"data": NESTED}}, bytes(8)),
    "JSON that is none": lambda _whole: safetensors(tensor() | {"__metadata__": {"data": "{'a': nan"}}, bytes(8)),
    "aliases of nothing": lambda _whole: safetensors(
        tensor() | {"__metadata__": {"aliases": '{"a": "nothing"}'}}, bytes(8)
    ),
    "aliases that are a list": lambda _whole: safetensors(tensor() | {"__metadata__": {"aliases": "[[1]]"}}, bytes(8)),
    "aliases of lists": lambda _whole: safetensors(tensor() | {"__metadata__": {"aliases": '{"a": [1]}'}}, bytes(8)),
}
for fault, change in CHECKPOINTS.items():
    case(f"checkpoint/{fault}", "best.safetensors")(lambda folder, change=change: state(change, folder))


@case("checkpoint/.pt with code, as data", "weights.pt")
def _(folder: Path) -> Made:
    (folder / "weights.pt").write_bytes(pt({"w": Evil()}))
    return load(folder / "weights.pt")


@case("checkpoint/a name that leaves the folder", "../../outside")
def _(folder: Path) -> Made:
    run = saved_run(folder)
    (folder / "outside.safetensors").write_bytes(safetensors(tensor(), bytes(8)))
    return lambda: Run.open(run).load_state("../../outside")


@case("checkpoint/a link to /dev/zero", "best")
def _(folder: Path) -> Made:
    run = saved_run(folder)
    (run / "checkpoints" / "best.safetensors").unlink()
    (run / "checkpoints" / "best.safetensors").symlink_to("/dev/zero")
    return lambda: Run.open(run).load_state("best")


@case("checkpoint/a pipe", "best")
def _(folder: Path) -> Made:
    run = saved_run(folder)
    (run / "checkpoints" / "best.safetensors").unlink()
    os.mkfifo(run / "checkpoints" / "best.safetensors")
    return lambda: Run.open(run).load_state("best")


# Archives: cifar-10-python.tar.gz in the data folder, .npz files.


def archive(folder: Path, fill: Callable[[tarfile.TarFile], None]) -> Made:
    path = folder / "data" / "cifar10" / "cifar-10-python.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        fill(tar)
    return lambda: fl.load("cifar10", progress=False)


def member(name: str, **facts: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


def cifar(rows: int = 20) -> dict[str, Any]:
    return {"data": np.zeros((rows, 3072), np.uint8), "labels": [row % 10 for row in range(rows)]}


def whole_cifar(tar: tarfile.TarFile, content: bytes | None = None) -> None:
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        data = makers.cifar_batch(20, 10, 0) if content is None else content
        tar.addfile(member(f"cifar-10-batches-py/{name}", size=len(data)), io.BytesIO(data))


INNER = "cifar-10-batches-py/data_batch_1"
ARCHIVES: dict[str, Callable[[tarfile.TarFile], None]] = {
    "a path that climbs": lambda tar: tar.addfile(member("../../../canary", size=1), io.BytesIO(b"x")),
    "an absolute path": lambda tar: tar.addfile(member(str(canary()), size=1), io.BytesIO(b"x")),
    "a symbolic link": lambda tar: tar.addfile(member(INNER, type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a hard link": lambda tar: tar.addfile(member(INNER, type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "a hard link to itself": lambda tar: tar.addfile(member(INNER, type=tarfile.LNKTYPE, linkname=INNER)),
    "a device": lambda tar: tar.addfile(member(INNER, type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
    "a pipe": lambda tar: tar.addfile(member(INNER, type=tarfile.FIFOTYPE)),
    "pickles with code": lambda tar: whole_cifar(tar, pickle.dumps(Evil())),
    "a member of 2^60 bytes": lambda tar: _lying(tar, 1 << 60),
    "100,000 members": lambda tar: [tar.addfile(member(f"{number}")) for number in range(100_000)] and None,
}
for fault, fill in ARCHIVES.items():
    case(f"archive/{fault}", "cifar-10-python.tar.gz" if "pickles" not in fault else "data_batch_1")(
        lambda folder, fill=fill: archive(folder, fill)
    )


def _lying(tar: tarfile.TarFile, size: int) -> None:
    assert tar.fileobj is not None
    tar.fileobj.write(member(INNER, size=size).tobuf(tarfile.GNU_FORMAT))


@case("archive/the same name many times", refused=False)
def _(folder: Path) -> Made:
    return archive(folder, lambda tar: [whole_cifar(tar) for _ in range(50)] and None)


def gzip_zeros(path: Path, head: bytes, zeros: int) -> None:
    """A gzip file of a few megabytes that unpacks to `head` and so many zeros."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as stream:
        stream.write(head)
    block = gzip.compress(bytes(1 << 26), compresslevel=9)  # gzip members may follow one another
    with path.open("ab") as raw:
        for _block in range(zeros >> 26):
            raw.write(block)


@case("archive/a bomb of 20 GB in a member", "cifar-10-python.tar.gz", large=True)
def _(folder: Path) -> Made:
    read = archive(folder, lambda _tar: None)
    head = member("else", size=20 << 30).tobuf(tarfile.GNU_FORMAT)
    gzip_zeros(folder / "data/cifar10/cifar-10-python.tar.gz", head, 20 << 30)
    return read


@case("archive/a bomb of 4 GB in a header", "cifar-10-python.tar.gz", large=True)
def _(folder: Path) -> Made:
    read = archive(folder, lambda _tar: None)
    head = member("pax", type=tarfile.XHDTYPE, size=4 << 30).tobuf(tarfile.GNU_FORMAT)
    gzip_zeros(folder / "data/cifar10/cifar-10-python.tar.gz", head, 4 << 30)
    return read


def npz(folder: Path, members: dict[str, bytes], **options: Any) -> Made:
    with zipfile.ZipFile(folder / "some.npz", "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members.items():
            archive.writestr(name, content)
    return load(folder / "some.npz", **options)


def npy(array: Any, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=pickled)
    return stream.getvalue()


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


ARRAYS: dict[str, Callable[[], bytes]] = {
    "an array of objects": lambda: npy(np.array([Evil(), Evil()], dtype=object), pickled=True),
    "a pickle": lambda: pickle.dumps(Evil()),
    "a header that is code": lambda: npy_header(f"__import__('os').system('touch {canary()}')\n"),
    "a header of brackets": lambda: npy_header("(" * 9000 + "\n"),
    "a shape of 2^60": lambda: npy_header(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,)}\n"
    ),
    "a shape below 0": lambda: npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-4,)}\n") + bytes(8),
    "cut off": lambda: npy(np.zeros((100, 4)))[:-50],
    "text instead of numbers": lambda: npy(np.array(["a", "b"])),
    "dates": lambda: npy(np.array(["2026-01-01", "2026-01-02"], dtype="M8[D]")),
    "a structure": lambda: npy(np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])),
}
for fault, content in ARRAYS.items():
    words = "" if fault in ("text instead of numbers", "dates", "a structure") else "some.npz"
    case(f"npz/{fault}", words)(
        lambda folder, content=content: npz(folder, {"X.npy": content(), "y.npy": npy(np.array([0, 1]))})
    )


@case("npz/names that climb", "some.npz")
def _(folder: Path) -> Made:
    return npz(folder, {"../../canary.npy": npy(np.zeros(2)), "/etc/x.npy": npy(np.zeros(2))})


@case("npz/encrypted", "some.npz")
def _(folder: Path) -> Made:
    read = npz(folder, {"X.npy": npy(np.zeros((4, 2))), "y.npy": npy(np.array([0, 1, 0, 1]))})
    data = bytearray((folder / "some.npz").read_bytes())
    at = data.find(b"PK\x01\x02")
    data[6] |= 1
    data[at + 8] |= 1
    (folder / "some.npz").write_bytes(data)
    return read


@case("npz/a compression that nobody knows", "some.npz")
def _(folder: Path) -> Made:
    read = npz(folder, {"X.npy": npy(np.zeros((4, 2))), "y.npy": npy(np.array([0, 1, 0, 1]))})
    data = bytearray((folder / "some.npz").read_bytes())
    at = data.find(b"PK\x01\x02")
    data[8] = data[at + 10] = 97
    (folder / "some.npz").write_bytes(data)
    return read


@case("npz/a bomb of 8 GB", "some.npz", large=True)
def _(folder: Path) -> Made:
    header = npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2097152, 4096)}\n")
    with (
        zipfile.ZipFile(folder / "some.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("X.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(header)
        for _block in range(128):
            stream.write(bytes(1 << 26))
    with zipfile.ZipFile(folder / "some.npz", "a") as archive:
        archive.writestr("y.npy", npy(np.arange(2_097_152) % 2))
    return load(folder / "some.npz")


@case("npz/30,000 members", "some.npz")
def _(folder: Path) -> Made:
    one = npy(np.zeros(2))
    return npz(folder, {f"{number}.npy": one for number in range(30_000)})


# Pictures: in a folder of classes, and one alone.


def photos(folder: Path, content: bytes, name: str = "bad.png") -> Path:
    for kind, shade in (("cat", 50), ("dog", 200)):
        (folder / "photos" / kind).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (16, 16), (shade, number, 0)).save(folder / "photos" / kind / f"{number}.png")
    (folder / "photos" / "cat" / name).write_bytes(content)
    return folder / "photos"


def picture(folder: Path, content: bytes, name: str = "bad.png") -> Made:
    """Read alone, where it is refused by name; before that, among others, where it is only left out."""
    path = photos(folder, content, name)

    def read() -> None:
        try:
            fl.load(path, size=16, progress=False)
        finally:
            like, _test = fl.load("fashion_mnist_small")
            fl.read_picture(path / "cat" / name, like=like)

    return read


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes | None, *more: bytes, bits: int = 8, colour: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows, 9)) if rows is not None else b""
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"")


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


POSTSCRIPT = (
    "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%touch {}) (w) file\nshowpage\n%%EOF\n"
)
BAD_PICTURES: dict[str, Callable[[], bytes]] = {
    "a bomb of 2,500,000,000 pixels": lambda: png(50_000, 50_000, bytes(1000)),
    "2^31 pixels wide": lambda: png((1 << 31) - 1, 1, bytes(1000)),
    "cut off": lambda: saved(noise(), "PNG")[:800],
    "empty": lambda: b"",
    "no width": lambda: png(0, 10, b""),
    "a program": lambda: b"#!/bin/sh\ntouch " + str(canary()).encode() + b"\n",
    "PostScript": lambda: POSTSCRIPT.format(canary()).encode(),
    "SVG with a script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "no rows": lambda: png(9000, 9000, None),
    "wrong checksums": lambda: saved(noise(), "PNG")[:-20] + bytes(20),
    "a text of 1 GB, packed": lambda: png(
        4, 4, bytes(20), chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 30), 9))
    ),
    "a colour profile of 1 GB, packed": lambda: png(
        4, 4, bytes(20), chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 30), 9))
    ),
    "TIFF: a directory that points to itself": lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8),
    "TIFF: a tile of 2^31": lambda: tiff_bomb(),
    "GIF: no picture in it": lambda: b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b";",
    "PPM: a width of many digits": lambda: b"P6 " + b"9" * 5000 + b" 1 255\n",
    "BMP: a height below 0": lambda: saved(noise(), "BMP")[:22] + struct.pack("<i", -(1 << 30)) + bytes(100),
}
for fault, content in BAD_PICTURES.items():
    case(f"picture/{fault}", "bad.png", large="1 GB" in fault)(
        lambda folder, content=content: picture(folder, content())
    )


def tiff_bomb() -> bytes:
    tags = {256: 90_000, 257: 90_000, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 90_000, 279: 1 << 31}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def exif(**changes: Any) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = changes.get("orientation", 1)
    if "comment" in changes:
        found[0x9286] = changes["comment"]
    return found


ODD_PICTURES: dict[str, Callable[[], bytes]] = {
    "JPEG called .png": lambda: saved(noise(), "JPEG"),
    "turned": lambda: saved(noise(), "JPEG", exif=exif(orientation=8)),
    "an orientation that is none": lambda: saved(noise(), "JPEG", exif=exif(orientation=77)),
    "notes of 60 kB": lambda: saved(noise(), "JPEG", exif=exif(comment=b"A" * 60_000)),
    "notes that are none": lambda: (
        saved(noise(), "JPEG")[:2]
        + b"\xff\xe1\x00\x20Exif\0\0II*\0\x08\0\0\0\xff\xff"
        + bytes(16)
        + saved(noise(), "JPEG")[2:]
    ),
    "16 bits": lambda: saved(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50), "PNG"),
    "CMYK": lambda: saved(noise("CMYK"), "JPEG"),
    "transparent": lambda: saved(noise("RGBA"), "PNG"),
    "3,000 frames": lambda: saved(
        noise("P"), "GIF", save_all=True, append_images=[Image.new("P", (40, 30), n % 256) for n in range(3000)]
    ),
    "a colour profile of 8 MB": lambda: saved(noise(), "JPEG", icc_profile=bytes(8_000_000)),
    "one pixel": lambda: png(1, 1, b"\0\0"),
    "60,000 pixels wide": lambda: png(60_000, 1, bytes(60_001)),
}
for fault, content in ODD_PICTURES.items():
    case(f"picture/{fault}", "bad.png", refused=None if "none" in fault or "MB" in fault else False)(
        lambda folder, content=content: picture(folder, content())
    )


@case("picture/four of 98,000,000 pixels", "bad.png", refused=False, large=True)
def _(folder: Path) -> Made:
    read = picture(folder, content := png(14_000, 7_000, bytes((14_000 * 4 + 1) * 7_000), colour=6))
    for number in range(3):
        (folder / "photos" / "dog" / f"large{number}.png").write_bytes(content)
    return read


@case("picture/98,000,000 pixels of 16 bits", "bad.png", refused=False, large=True)
def _(folder: Path) -> Made:
    return picture(folder, png(14_000, 7_000, bytes((14_000 * 2 + 1) * 7_000), bits=16))


@case("picture/a pipe", "bad.png")
def _(folder: Path) -> Made:
    read = picture(folder, b"")
    (folder / "photos/cat/bad.png").unlink()
    os.mkfifo(folder / "photos/cat/bad.png")
    return read


@case("picture/a link to /dev/zero", "bad.png")
def _(folder: Path) -> Made:
    read = picture(folder, b"")
    (folder / "photos/cat/bad.png").unlink()
    (folder / "photos/cat/bad.png").symlink_to("/dev/zero")
    return read


@case("picture/SVG by its name", "bad.svg")
def _(folder: Path) -> Made:
    return picture(folder, b"<svg/>", "bad.svg")


@case("picture/folders that hold themselves", refused=None)
def _(folder: Path) -> Made:
    (folder / "round").mkdir()
    (folder / "round" / "again").symlink_to(folder / "round")
    return load(folder / "round")


# Tables.


def table(folder: Path, content: bytes, **options: Any) -> Made:
    (folder / "table.csv").write_bytes(content)
    return load(folder / "table.csv", **({"target": "kind"} | options))


def rows(*lines: str) -> bytes:
    return ("x,y,kind\n" + "\n".join(lines)).encode()


GOOD_ROWS = [f"{number},{number / 2},{'ab'[number % 2]}" for number in range(40)]
TABLES: dict[str, Callable[[], bytes]] = {
    "two encodings": lambda: rows(*GOOD_ROWS) + "\n1,2,é".encode("latin-1") + "\n1,2,é".encode(),
    "UTF-16": lambda: rows(*GOOD_ROWS).decode().encode("utf-16"),
    "zero bytes": lambda: rows(*GOOD_ROWS, "1,\0,a", "\0\0\0"),
    "a quote that never ends": lambda: rows(*GOOD_ROWS, '1,"2,a') + b"x" * 1_000_000,
    "ragged": lambda: rows(*GOOD_ROWS, "1", "1,2,3,4,5,6"),
    "nothing but line ends": lambda: b"\n" * 1_000_000,
    "empty": lambda: b"",
    "numbers of 100,000 digits": lambda: rows(*GOOD_ROWS, f"{'9' * 100_000},1,a"),
    "a million columns": lambda: ",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\n" + b"1," * 999_999 + b"1",
    "a million different words": lambda: b"x,kind\n" + b"".join(b"word%d,a\n" % number for number in range(1_000_000)),
    "a million kinds": lambda: b"x,kind\n" + b"".join(b"1,word%d\n" % number for number in range(1_000_000)),
    "200 MB without a line end": lambda: b"x" * 200_000_000,
    "200 MB of commas": lambda: b"x,kind\n" + b"," * 200_000_000,
    "a line of 100 MB after good ones": lambda: rows(*GOOD_ROWS) + b"\n" + b"7," * 50_000_000,
    "a quote of 200 MB": lambda: b'x,kind\n1,"' + b"a\n" * 100_000_000,
}
for fault, content in TABLES.items():
    case(f"table/{fault}", "" if "million" in fault or "digits" in fault else "table.csv",
         large="00 MB" in fault)(lambda folder, content=content: table(folder, content()))  # fmt: skip


@case("table/formulas", refused=False)
def _(folder: Path) -> Made:
    formula = f"=cmd|'/c touch {canary()}'!A1"
    return table(folder, rows(*(f'{number},"{formula}",{"ab"[number % 2]}' for number in range(40))))


@case("table/a link to /dev/zero", "table.csv")
def _(folder: Path) -> Made:
    (folder / "table.csv").symlink_to("/dev/zero")
    return load(folder / "table.csv", target="kind")


@case("table/a pipe", "table.csv")
def _(folder: Path) -> Made:
    os.mkfifo(folder / "table.csv")
    return load(folder / "table.csv", target="kind")


# Pickles and IDX files, as CIFAR and MNIST have them.


def batch(folder: Path, content: bytes) -> Made:
    inner = folder / "cifar-10-batches-py"
    inner.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (inner / name).write_bytes(makers.cifar_batch(20, 10, 0))
    (inner / "data_batch_1").write_bytes(content)
    return load(inner)


def bomb_of_lists() -> bytes:
    """Thirty lists, each of which holds the one before a hundred times: 10^60 entries."""
    return b"\x80\x02]q\x00" + b"".join(
        b"](" + b"h" + bytes([n]) + (b"h" + bytes([n])) * 99 + b"eq" + bytes([n + 1]) for n in range(30)
    ) + b"."  # fmt: skip


def _long_labels() -> bytes:
    """Labels of 4,000 digits, as Python 2 would have written them."""
    good = makers.python2_pickle({b"data": cifar()["data"], b"labels": [7] * 20})
    number = 10**4000
    long = number.to_bytes(1700, "little")
    return good.replace(b"J" + struct.pack("<i", 7), b"\x8b" + struct.pack("<i", len(long)) + long)


PICKLES: dict[str, Callable[[], bytes]] = {
    "code": lambda: pickle.dumps(Evil()),
    "code within": lambda: pickle.dumps(cifar() | {"more": Evil()}),
    "an array of objects": lambda: pickle.dumps(cifar() | {"data": np.array([Evil()], dtype=object)}),
    "eval by its name": lambda: b"cbuiltins\neval\n(S'1'\ntR.",
    "a way through dotted names": lambda: b"\x80\x04\x8c\x05numpy\x8c\x0eos.system.name\x93.",
    "a place of 2^31 in the memo": lambda: b"\x80\x02N" + b"r" + struct.pack("<I", (1 << 31) - 1) + b".",
    "a place of 2^28 in the memo": lambda: b"\x80\x02N" + b"r" + struct.pack("<I", 1 << 28) + b".",
    "8 GB that are not there": lambda: b"\x80\x05\x96" + struct.pack("<Q", 8 << 30) + b".",
    "a frame of 2^60 bytes": lambda: b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b".",
    "lists in lists": lambda: b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "lists that hold each other": bomb_of_lists,
    "cut off": lambda: pickle.dumps(cifar())[:1000],
    "an object by its id": lambda: b"\x80\x02X\x01\x00\x00\x00aQ.",
    "labels of words": lambda: makers.python2_pickle({b"data": cifar()["data"], b"labels": [b"a"] * 20}),
    "labels of 10^4000": lambda: _long_labels(),
    "another shape": lambda: makers.python2_pickle({b"data": np.zeros((20, 3071), np.uint8), b"labels": [1] * 20}),
    "no numbers": lambda: pickle.dumps(cifar() | {"data": np.zeros((20, 3072), "U4")}),
    "not a dictionary": lambda: pickle.dumps([1, 2]),
}
for fault, content in PICKLES.items():
    case(f"pickle/{fault}", "data_batch_1")(lambda folder, content=content: batch(folder, content()))


@case("pickle/code, read alone", "alone.pkl")
def _(folder: Path) -> Made:
    (folder / "alone.pkl").write_bytes(pickle.dumps([Evil()]))
    return lambda: read_pickle(folder / "alone.pkl")


def mnist(folder: Path, images: bytes | None, labels: bytes | None = None) -> Made:
    inner = folder / "data" / "mnist"
    inner.mkdir(parents=True)
    good = struct.pack(">HBBIII", 0, 8, 3, 20, 28, 28) + bytes(20 * 784)
    numbers = struct.pack(">HBBI", 0, 8, 1, 20) + bytes(number % 10 for number in range(20))
    for name, content in (("train-images-idx3", images or good), ("t10k-images-idx3", good),
                          ("train-labels-idx1", labels or numbers), ("t10k-labels-idx1", numbers)):  # fmt: skip
        (inner / f"{name}-ubyte.gz").write_bytes(gzip.compress(content) if content[:2] != b"\x1f\x8b" else content)
    return lambda: fl.load("mnist", progress=False)


IDX: dict[str, Callable[[], bytes]] = {
    "4,000,000,000 pictures": lambda: struct.pack(">HBBIII", 0, 8, 3, (1 << 32) - 1, 28, 28) + bytes(784),
    "a shape of 0": lambda: struct.pack(">HBBIII", 0, 8, 3, 0, 28, 28),
    "too long": lambda: struct.pack(">HBBIII", 0, 8, 3, 20, 28, 28) + bytes(20 * 784 + 5),
    "too short": lambda: struct.pack(">HBBIII", 0, 8, 3, 20, 28, 28) + bytes(20),
    "another kind of numbers": lambda: struct.pack(">HBBIII", 0, 13, 3, 20, 28, 28) + bytes(4 * 20 * 784),
    "no header": lambda: b"\0",
    "gzip that breaks off": lambda: gzip.compress(bytes(100_000))[:60],
}
for fault, content in IDX.items():
    case(f"idx/{fault}", "train-images-idx3-ubyte.gz")(lambda folder, content=content: mnist(folder, content()))


@case("idx/a bomb of 2 GB", "train-images-idx3-ubyte.gz", large=True)
def _(folder: Path) -> Made:
    read = mnist(folder, None)
    head = struct.pack(">HBBIII", 0, 8, 3, 1 << 20, 2048, 1)
    gzip_zeros(folder / "data/mnist/train-images-idx3-ubyte.gz", head, 2 << 30)
    return read


# Notebooks and scripts, for the doctor.


def examined(path: Path) -> Made:
    def read() -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = doctor(str(path), [], as_json=False, static=True, timeout=20, folder=None)
        if status == 2:
            raise Refused(said.getvalue())

    return read


class Refused(FirstlightError):
    """A command that printed why, and ended with the status of that."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def __str__(self) -> str:
        return self.said


def cell(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **more}


def notebook(*cells: Any, **more: Any) -> bytes:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}).encode()


def touching() -> str:
    return f"import os\nos.system('touch {canary()}')"


BAD_NOTEBOOKS: dict[str, Callable[[], bytes]] = {
    "no JSON": lambda: b"cells = 1",
    "nested": lambda: b'{"cells": ' + NESTED.encode() + b"}",
    "no cells": lambda: b'{"nbformat": 4}',
    "cells that are a number": lambda: b'{"cells": 7}',
    "cells of numbers": lambda: b'{"cells": [1, 2]}',
    "a list": lambda: b"[]",
    "source of numbers": lambda: notebook(cell([1, 2, None])),
    "no source": lambda: b'{"cells": [{"cell_type": "code"}]}',
    "an old format": lambda: b'{"nbformat": 3, "worksheets": [{"cells": []}]}',
    "another encoding": lambda: notebook(cell("x = 'é'")).decode().encode("utf-16"),
    "a number of 10,000 digits": lambda: b'{"cells": [], "nbformat": ' + b"9" * 10_000 + b"}",
    "empty": lambda: b"",
}
ODD_NOTEBOOKS: dict[str, Callable[[], bytes]] = {
    "code, only read": lambda: notebook(cell(touching())),
    "an output of 30 MB": lambda: notebook(
        cell("x = 1", outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * 30_000_000}])
    ),
    "numbers of cells that are odd": lambda: notebook(
        cell("a = 1", execution_count=True),
        cell("b = 1", execution_count=-(10**30)),
        cell("c = 1", execution_count="7"),
    ),
    "no Python": lambda: notebook(cell("((((" * 1000), cell("\0\0\0"), cell("print 'a'")),
    "source that is an object": lambda: notebook(cell({"a": 1})),
    "half a character": lambda: notebook(cell("x = '\udc80'")),
    "20,000 cells": lambda: notebook(*(cell(f"x{number} = {number}") for number in range(20_000))),
    "brackets in brackets": lambda: notebook(cell("(" * 5000 + "1" + ")" * 5000), cell("-" * 100_000 + "1")),
    "a name that never ends": lambda: notebook(cell("x" + ".a" * 50_000), cell("f" + "(1)" * 50_000)),
}
SCRIPTS: dict[str, Callable[[], bytes]] = {
    "zero bytes": lambda: b"x = 1\0\n",
    "another encoding": lambda: "x = 'é'".encode("latin-1"),
    "brackets in brackets": lambda: b"(" * 100_000 + b"1" + b")" * 100_000,
    "minus, 200,000 times": lambda: b"x = " + b"-" * 200_000 + b"1",
    "a sum of 100,000": lambda: b"x = " + b"1+" * 100_000 + b"1",
    "attributes, 100,000 times": lambda: b"x" + b".a" * 100_000,
    "no Python": lambda: b"\x7fELF" + bytes(100),
    "a program, only read": lambda: touching().encode(),
    "ifs in ifs": lambda: b"".join(b" " * n + b"if 1:\n" for n in range(300)),
}
for fault, content in BAD_NOTEBOOKS.items():
    case(f"notebook/{fault}", "lesson.ipynb")(
        lambda folder, content=content: program(folder, "lesson.ipynb", content())
    )
for fault, content in ODD_NOTEBOOKS.items():
    case(f"notebook/{fault}", "lesson.ipynb", refused=None if "character" in fault else False)(
        lambda folder, content=content: program(folder, "lesson.ipynb", content())
    )
for fault, content in SCRIPTS.items():
    case(f"script/{fault}", "train.py", refused=None)(
        lambda folder, content=content: program(folder, "train.py", content())
    )


def program(folder: Path, name: str, content: bytes) -> Made:
    (folder / name).write_bytes(content)
    return examined(folder / name)


@case("notebook/200 MB of brackets", "lesson.ipynb", large=True)
def _(folder: Path) -> Made:
    return program(folder, "lesson.ipynb", b'{"cells": [' + b"[]," * 66_000_000 + b"1]}")


@case("script/300 MB", "train.py", large=True)
def _(folder: Path) -> Made:
    return program(folder, "train.py", b"x = 1\n" * 50_000_000)


@case("notebook/a link to /dev/zero", "lesson.ipynb")
def _(folder: Path) -> Made:
    (folder / "lesson.ipynb").symlink_to("/dev/zero")
    return examined(folder / "lesson.ipynb")


@case("notebook/a lesson in the learner's folder", refused=False)
def _(folder: Path) -> Made:
    (folder / "lab").mkdir()
    for name in ("first_pytorch_classifier.ipynb", "first_pytorch_classifier.en.ipynb"):
        (folder / "lab" / name).write_bytes(b'{"cells": [], "metadata": ' + NESTED.encode() + b"}")
    return lambda: prepare(folder / "lab", "en")


# Run folders from others.


def record(folder: Path, *changes: str, params: tuple[Any, ...] = ()) -> Made:
    """A whole record that somebody has changed with SQL."""
    run = saved_run(folder)
    with contextlib.closing(sqlite3.connect(run / FILE)) as connection:
        connection.execute("PRAGMA trusted_schema=ON")
        for change in changes:
            connection.execute(change, params if "?" in change else ())
        connection.commit()
    return opened(run)


def opened(run: Path) -> Made:
    """Everything that can be asked of a run, as a list, a table, a report and a file."""

    def read() -> None:
        listed = runs(run.parent)
        assert len(repr(listed)) + len(listed._repr_html_()) + len(repr(listed.compare())) < 1 << 20
        assert "\x1b" not in repr(listed), "an escape reached the terminal"
        listed.sort("steps")
        one = Run.open(run)
        told = (one.name, one.status, one.plan.steps, one.info, one.environment, one.duration, one.resting, one.paused)
        assert told
        assert repr(one)
        for name in one.metrics()[:20]:
            one.metric(name)
            one.last(name)
        one.points_since(0)
        one.facts_since(0)
        _ = one.steps, one.summary(), one.facts(), one.findings(), one.operations(0), one.ended
        for name in one.states():
            one.load_state(name)
        for ask in (one.graph, one.memory):
            with contextlib.suppress(NoLook):
                repr(ask())
        one.export_tensorboard(run.parent.parent / "board")
        assert examine(one).as_text()
        if listed[0].status == "damaged":
            raise Refused(str(listed[0].problem))

    return read


def meta(key: str, value: str) -> tuple[str, ...]:
    return ("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, value)


METAS = {
    "a start of words": ("started", '"abc"'), "a start of 10^300": ("started", "1e300"),
    "an end of words": ("ended", '"never"'), "an end that is an object": ("ended", '{"a": 1}'),
    "a plan of other names": ("plan", '{"evil": 1}'), "a plan of words": ("plan", '{"total_steps": "many"}'),
    "a plan that is a list": ("plan", "[1]"), "info that is a number": ("info", "7"),
    "an environment that is a list": ("environment", "[1, 2, 3]"), "a rest of words": ("rested", '"yes"'),
    "a rest at a word": ("rested", '{"time": "x"}'), "a pause of words": ("paused_s", '"x"'),
    "a status of our own": ("status", '"pwned\\u001b[31m"'), "a status that is a list": ("status", "[1]"),
    "a name with escapes": ("name", '"\\u001b]0;owned\\u0007<script>alert(1)</script>"'),
    "a name that is an object": ("name", '{"a": {"b": 1}}'), "a reason of numbers": ("reason", "[1, 2]"),
    "a summary of words": ("summary", '"x"'), "a summary without numbers": ("summary", '{"train/loss": {"step": "x"}}'),
    "a summary of nothing": ("summary", '{"train/loss": {}}'), "nested": ("info", NESTED),
    "no JSON": ("info", "{"), "a number of 10,000 digits": ("info", "9" * 10_000),
    "a process of words": ("process", '{"pid": "x"}'), "a process that is a list": ("process", "[1]"),
    "a heartbeat of words": ("heartbeat", '"x"'),
}  # fmt: skip
for fault, (key, value) in METAS.items():

    def _changed(folder: Path, key: str = key, value: str = value) -> Made:
        sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
        if key in ("process", "heartbeat"):  # these are asked only of a run that says it goes on
            host = '"host": ' + json.dumps(os.uname().nodename)
            value = value.replace("{", "{" + host + ", ") if key == "process" else value
            more = ("UPDATE meta SET value = '\"running\"' WHERE key = 'status'",)
            return record(folder, sql, *more, params=(key, value))
        return record(folder, sql, params=(key, value))

    case(f"run/{fault}", FILE, refused=None)(_changed)

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
CHANGES: dict[str, tuple[str, ...]] = {
    "a view that never ends": (
        "DROP TABLE points",
        f"CREATE VIEW points AS {ENDLESS} i AS id, 1 AS metric, i AS step, 1.0 AS value, 0.0 AS time FROM n",
    ),
    "a view that calls a function": (
        "DROP TABLE meta",
        "CREATE VIEW meta AS SELECT 'name' AS key, load_extension('/tmp/evil') AS value",
    ),
    "a column that makes gigabytes": (
        "DROP TABLE facts",
        "CREATE TABLE facts (id INTEGER PRIMARY KEY, step INT, kind TEXT, "
        "data TEXT AS (zeroblob(900000000)), time REAL)",
        "INSERT INTO facts (step, kind, time) VALUES (0, 'a', 0.0)",
    ),
    "a virtual table": ("DROP TABLE points", "CREATE VIRTUAL TABLE points USING fts5(id, metric, step, value, time)"),
    "a trigger": ("CREATE TRIGGER evil AFTER INSERT ON points BEGIN DELETE FROM points; END",),
    "tables of other columns": ("DROP TABLE points", "CREATE TABLE points (a, b)"),
    "no tables": ("DROP TABLE meta", "DROP TABLE points", "DROP TABLE metrics"),
    "a later format": ("PRAGMA user_version = 99",),
    "somebody else's file": ("PRAGMA application_id = 1",),
    "a text of 400 MB": (
        "INSERT OR REPLACE INTO meta (key, value) VALUES ('info', CAST(zeroblob(400000000) AS TEXT))",
    ),
    "points of words": ("UPDATE points SET value = 'abc', step = 'def', time = 'ghi' WHERE id < 9",),
    "points of blobs": ("UPDATE points SET value = x'00ff', step = x'ff' WHERE id = 3",),
    "points of infinities": ("UPDATE points SET value = 9e999, time = -9e999 WHERE id < 9",),
    "steps of 2^63": ("UPDATE points SET step = 9223372036854775807",),
    "steps below 0": ("UPDATE points SET step = -9223372036854775807",),
    "names that are no text": ("UPDATE metrics SET name = x'ff00fe' WHERE id = 1",),
    "names that are not UTF-8": ("UPDATE metrics SET name = CAST(x'ff00fe' AS TEXT) WHERE id = 1",),
    "100,000 metrics": (
        f"INSERT INTO metrics (name) {ENDLESS} 'metric' || i FROM n LIMIT 100000",
        "INSERT INTO points (metric, step, value, time) SELECT id, 1, 1.0, 1.0 FROM metrics",
    ),
    "facts of no JSON": ("UPDATE facts SET data = '{'",),
    "facts of blobs": ("UPDATE facts SET data = x'00', kind = x'00', step = 'x'",),
    "facts that are null": (
        "DROP TABLE facts",
        "CREATE TABLE facts (id INTEGER PRIMARY KEY, step, kind, data, time)",
        "INSERT INTO facts (step) VALUES (NULL)",
    ),
    "facts that are nested": (f"UPDATE facts SET data = '{NESTED}'",),
    "a graph of nothing": (
        "UPDATE facts SET kind = 'graph', data = '{\"rows_at\": 0}'",
        "INSERT INTO operations (step, data) VALUES (0, '[1, 2]')",
    ),
    "a graph of words": ("UPDATE facts SET kind = 'graph', data = '7'",),
    "a graph that goes round": (
        "UPDATE facts SET kind = 'graph', data = '{\"rows_at\": 0}'",
        'INSERT INTO operations (step, data) VALUES (0, \'{"id": 0, "inputs": [0], "parent": 0}\')',
    ),
    "memory of words": ('UPDATE facts SET kind = \'memory\', data = \'{"curve": 3, "saved": "x"}\'',),
    "code of numbers": ("UPDATE facts SET kind = 'code', data = '[1, {}]'",),
    "a witness of words": ("UPDATE facts SET kind = 'witness', data = '\"x\"'",),
    "earlier trainings of words": ("UPDATE facts SET kind = 'earlier', data = '[[1]]'",),
    "a proof of words": ("UPDATE facts SET kind = 'proof', data = '{}'",),
    "findings of words": ("INSERT INTO findings (code, data, time) VALUES (x'00', 'x', 'y')",),
}
READ = ("a trigger", "points of inf", "steps of", "steps below", "100,000", "a graph", "memory", "code", "a witness",
        "earlier", "a proof", "points of", "names that are no text", "findings")  # fmt: skip
for fault, changes in CHANGES.items():
    case(
        f"run/{fault}",
        "" if "round" in fault else FILE,
        refused=None if fault.startswith(READ) else True,
        large="MB" in fault,
    )(lambda folder, changes=changes: record(folder, *changes))


def replaced(folder: Path, put: Callable[[Path], Any], name: str = FILE) -> Made:
    run = saved_run(folder)
    (run / name).unlink(missing_ok=True)
    put(run / name)
    return opened(run)


PLACES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a link to /dev/zero": (FILE, lambda path: path.symlink_to("/dev/zero")),
    "a link to itself": (FILE, lambda path: path.symlink_to(path)),
    "a pipe": (FILE, os.mkfifo),
    "a folder": (FILE, lambda path: path.mkdir()),
    "empty": (FILE, lambda path: path.touch()),
    "text": (FILE, lambda path: path.write_text("hello")),
    "zeros behind a header": (FILE, lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(1 << 20))),
    "a log that is a pipe": (f"{FILE}-wal", os.mkfifo),
    "a log that leads to /dev/zero": (f"{FILE}-wal", lambda path: path.symlink_to("/dev/zero")),
    "a log of noise": (f"{FILE}-wal", lambda path: path.write_bytes(os.urandom(1 << 16))),
    "a journal that is a pipe": (f"{FILE}-journal", os.mkfifo),
    "a journal of noise": (f"{FILE}-journal", lambda path: path.write_bytes(os.urandom(1 << 16))),
    "shared memory that leads elsewhere": (f"{FILE}-shm", lambda path: path.symlink_to(precious(path))),
}
for fault, (name, put) in PLACES.items():
    case(f"run/{fault}", FILE if name != FILE else "", refused=None)(
        lambda folder, name=name, put=put: replaced(folder, put, name)
    )


def precious(path: Path) -> Path:
    """Something of the learner's that nobody may write to; the canary comes to be where it changed."""
    found = path.parents[2] / "precious"
    found.write_bytes(b"precious" * 10_000)
    found.chmod(0o444)
    return found


@case("run/cut off", FILE, refused=None)
def _(folder: Path) -> Made:
    run = saved_run(folder)
    os.truncate(run / FILE, (run / FILE).stat().st_size // 2)
    return opened(run)


# What kept things are: a folder that a class shares may hold anything.


@case("cache/kept pictures of others", refused=False)
def _(folder: Path) -> Made:
    read = archive(folder, whole_cifar)
    kept = folder / "data" / "decoded" / "cifar10"
    kept.mkdir(parents=True)
    (kept / "meta.json").write_text('[{"format": 1}]')
    (kept / "train_inputs.npy").write_bytes(npy(np.array([Evil()], dtype=object), pickled=True))
    return read


@case("cache/kept pictures that are pickles", refused=False)
def _(folder: Path) -> Made:
    read = archive(folder, whole_cifar)
    kept = folder / "data" / "decoded" / "cifar10"
    kept.mkdir(parents=True)
    parts = {"format": 1, "signature": "1", "parts": ["train_inputs"], "facts": None}
    (kept / "meta.json").write_text(json.dumps(parts))
    (kept / "train_inputs.npy").write_bytes(npy(np.array([Evil()], dtype=object), pickled=True))
    return read


@case("cache/nested JSON", refused=False)
def _(folder: Path) -> Made:
    read = archive(folder, whole_cifar)
    (folder / "data" / "decoded" / "cifar10").mkdir(parents=True)
    (folder / "data" / "decoded" / "cifar10" / "meta.json").write_text(NESTED)
    return read


# Reading them.


@dataclass
class Outcome:
    """What became of one file."""

    case: str
    how: str  # "refused", "read", "unhandled", "killed", "slow"
    error: str
    code: list[str]
    memory: int
    disk: int
    seconds: float

    @property
    def fault(self) -> str:
        """What is wrong with it; empty where all is well."""
        one = CASES[self.case]
        if self.code:
            return f"code was run: {', '.join(self.code)}"
        if self.memory > MEMORY_BAR or self.disk > DISK_BAR:
            return "memory or disk"
        if self.how in ("unhandled", "killed", "slow"):
            return self.how
        if one.refused is not None and (self.how == "refused") != one.refused:
            return f"should have been {'refused' if one.refused else 'read'}"
        if self.how == "refused" and one.named and one.named not in self.error:
            return f"the error does not name {one.named}"
        return ""


def attempt(one: Case) -> Outcome:
    """Make the file and read it in a child; both are gone afterwards, and so is the folder."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder, report = Path(name, "here"), Path(name, "report.json")
        folder.mkdir()
        (folder / "tmpdir").mkdir()
        pid = os.fork()
        if not pid:
            _in_child(lambda: _make_and_read(one, folder, report))
        _pid, status, _usage = os.wait4(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it may have started
        told = json.loads(report.read_text())
        if status:
            slow = os.waitstatus_to_exitcode(status) in (-signal.SIGALRM, -signal.SIGXCPU)
            told |= {"how": "slow" if slow else "killed", "error": f"status {os.waitstatus_to_exitcode(status)}"}
        if told["how"] == "not made":
            raise RuntimeError(f"{one.name} could not be made: {told['error']}")
        code = told["code"]
        if Path(name, "canary").exists():
            code.append("the canary is there")
        treasure = folder / "precious"
        if treasure.exists() and treasure.read_bytes() != b"precious" * 10_000:
            code.append("a file elsewhere was written")
        disk = max(0, _size(folder) - told["disk"])
        return Outcome(one.name, told["how"], told["error"], code, told["memory"], disk, told["seconds"])


def _in_child(work: Callable[[], None]) -> None:
    """Do it, and end this process whatever happens."""
    status = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        work()
        status = 0
    finally:
        os._exit(status)


def _make_and_read(one: Case, folder: Path, report: Path) -> None:
    for variable in WORLD:
        os.environ[variable] = str(folder / variable.rpartition("_")[2].lower())
    os.environ["FIRSTLIGHT_CANARY"] = str(folder.parent / "canary")
    before = _status("VmRSS")  # before the making: what of it stays in this process counts too, and so never hides
    told = {"how": "not made", "error": "", "code": [], "memory": 0, "disk": 0, "seconds": 0.0}
    report.write_text(json.dumps(told))
    try:
        read = one.make(folder)
    except BaseException as problem:  # noqa: BLE001 - the parent raises it
        report.write_text(json.dumps(told | {"error": "".join(traceback.format_exception(problem))}))
        return
    report.write_text(json.dumps(told | {"how": "reading", "disk": _size(folder), "seconds": float(LIMIT_S)}))
    gc.collect()
    os.chdir(folder)
    seen: list[str] = []
    sys.addaudithook(lambda event, _args: seen.append(event) if event in FORBIDDEN else None)
    limit = _status("VmSize") + 3 * MEMORY_BAR
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * DISK_BAR, 4 * DISK_BAR))
    Path("/proc/self/clear_refs").write_text("5")  # from here on, the highest is the highest of the reading
    told = json.loads(report.read_text()) | {"how": "read"}
    signal.alarm(WAIT_S)  # for what waits for ever; for what computes for ever, processor time counts
    used = int(sum(os.times()[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + LIMIT_S, used + LIMIT_S + 1))
    begun = time.monotonic()
    try:
        read()
    except FirstlightError as refusal:
        told |= {"how": "refused", "error": str(refusal)[:3000]}
    except BaseException as problem:  # noqa: BLE001 - which is what is looked for
        told |= {"how": "unhandled", "error": "".join(traceback.format_exception(problem))[-1500:]}
    told["seconds"] = time.monotonic() - begun
    signal.alarm(0)
    report.write_text(json.dumps(told | {"memory": _status("VmHWM") - before, "code": sorted(set(seen))}))


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _size(folder: Path) -> int:
    """Bytes on disk, of ordinary files."""
    found = 0
    for top, _folders, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                found += Path(top, name).lstat().st_blocks * 512
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--short", action="store_true", help="without the large ones")
    parser.add_argument("--list", action="store_true", help="say what each was answered")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["FIRSTLIGHT_LANG"] = "en"
    torch.set_num_threads(1)
    chosen = [one for one in CASES.values() if options.only in one.name and not (options.short and one.is_large)]
    found = []
    for one in chosen:
        found.append(outcome := attempt(one))
        if (options.list or outcome.fault) and not options.json:
            said = outcome.error if outcome.how == "unhandled" else outcome.error.split("\n")[0][:160]
            mark = f"BAD ({outcome.fault})" if outcome.fault else outcome.how
            print(f"{one.name}: {mark}, {outcome.memory / 1e6:.0f} MB, {outcome.seconds:.1f} s. {said}", flush=True)
    bad = [one for one in found if one.fault]
    if options.json:
        print(json.dumps([vars(one) | {"fault": one.fault} for one in found], indent=1))
        return bool(bad)
    print(machine_line())
    print(f"{len(found)} hostile files: {sum(one.how == 'refused' for one in found)} refused, "
          f"{sum(one.how == 'read' for one in found)} odd ones read")  # fmt: skip
    for title, count in (
        ("code run", sum(bool(one.code) for one in found)),
        ("unbounded memory, disk or time", sum(
            one.memory > MEMORY_BAR or one.disk > DISK_BAR or one.how in ("slow", "killed") for one in found
        )),
        ("unhandled exception", sum(one.how == "unhandled" for one in found)),
        ("anything else than it should be", len(bad)),
    ):  # fmt: skip
        print(f"  {title:32} {count:3}  bar 0")
    most = max(found, key=lambda one: one.memory)
    print(f"  most memory: {most.memory / 1e6:,.0f} MB ({most.case}); bar {MEMORY_BAR / 1e6:,.0f} MB")
    return bool(bad) or (not options.only and len(found) < 60)


if __name__ == "__main__":
    sys.exit(main())
