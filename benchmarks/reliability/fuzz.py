"""Whole files, changed at random, given to each reader of ours: only our own errors may come of them.

    python -m benchmarks.reliability.fuzz [--reader NAME ...] [--minutes 10] [--engine atheris] [--json]

Each reader has good files to begin with. atheris (libFuzzer) changes them so that new lines of our code are reached;
where it is not installed (it has wheels for Linux and macOS, and not for each Python), `--engine mutate` changes them
blindly. Each reader runs in a process of its own that may take 3 GB, and 25 s for one file. An exception that is not
ours is written down once for each line that raised it, and the fuzzing goes on; a file that takes too much time or
memory ends it. What was found is kept under --keep; each finding becomes a test.

The tests do the same with few files that hypothesis makes: `tests/data/test_fuzz.py`.
"""

import argparse
import contextlib
import gzip
import importlib
import importlib.util
import io
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MINUTES = 10.0
MEMORY_MB, SLOW_S = 3000, 25
Target = Callable[[bytes], Any]


@dataclass(frozen=True)
class Reader:
    """Good files, and what reads one that is made of these bytes; it may raise our errors and no others."""

    seeds: Callable[[], list[bytes]]
    target: Callable[[Path], Target]


def kept(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# Good files.


def _tables() -> list[bytes]:
    rows = [f'{n},{n / 2},{"ab"[n % 2]},"w{n % 3}"' for n in range(12)]
    lines = ["x,y,kind,word", *rows]
    windows = "sep=;\r\n" + "\r\n".join(line.replace(",", ";").replace(".", ",") for line in lines)
    return ["\n".join(lines).encode(), windows.encode("utf-8-sig"), b"\n\n".join(line.encode() for line in lines)]


def _pictures() -> list[bytes]:
    import numpy as np
    from PIL import Image

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8))
    found = []
    for mode, form in (
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("L", "JPEG"),
        ("RGB", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "BMP"),
        ("P", "GIF"),
        ("RGB", "WEBP"),
        ("RGB", "TIFF"),
        ("I;16", "TIFF"),
        ("RGB", "PPM"),
    ):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        noise.convert("L" if mode == "I;16" else mode).convert(mode).save(stream, form, exif=exif.tobytes())
        found.append(stream.getvalue())
    return found


def _npzs() -> list[bytes]:
    import numpy as np

    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, X=np.arange(24.0).reshape(6, 4), y=np.array([0, 1, 0, 1, 0, 1]))
        found.append(stream.getvalue())
    return found


def _headers() -> list[bytes]:
    import numpy as np

    found = []
    for array in (
        np.arange(24.0).reshape(6, 4),
        np.arange(24, dtype=np.uint8).reshape(6, 4),
        np.zeros((6, 2, 2), "f4"),
    ):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=False)
        found.append(stream.getvalue())
    return found


def _pickles() -> list[bytes]:
    import pickle

    import numpy as np
    from tests.data import makers

    whole = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2], b"names": (b"a", None, 7, True)}
    return [makers.python2_pickle(whole), *(pickle.dumps(whole, protocol=number) for number in (0, 2, 4, 5))]


def _archives() -> list[bytes]:
    import tarfile

    from tests.data import makers

    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
            for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
                data = makers.cifar_batch(1, 10, 0)[:60]
                info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                info.size, info.mtime = len(data), 1.5
                tar.addfile(info, io.BytesIO(data))
        found.append(stream.getvalue())
    return found


def _idxs() -> list[bytes]:
    import struct

    plain = struct.pack(">HBBIII", 0, 8, 3, 2, 3, 4) + bytes(24)
    return [plain, gzip.compress(plain)]


def _saved_run() -> Path:
    """A whole record with a bit of everything, in a folder that the process's end takes away."""
    import torch

    from firstlight.run import Run

    run = Run.start("kept", folder=tempfile.mkdtemp(dir=os.environ["TMPDIR"]), plan={"total_epochs": 2})
    for step in range(8):
        run.log({"train/loss": 1 / (step + 1), "nan": float("nan")}, step=step)
    run.add_fact(0, "note", {"a": [1, 2.5, None, "x"]})
    run.add_operations(0, [{"id": 0, "name": "aten::mul"}])
    run.add_finding("L19", 1, evidence="x")
    run.save_state("best", {"w": torch.arange(6.0), "b": torch.ones(2)}, {"epoch": 3})
    run.finish()
    assert run.folder is not None
    return run.folder


def _states() -> list[bytes]:
    return [(_saved_run() / "checkpoints" / "best.safetensors").read_bytes()]


def _records() -> list[bytes]:
    return [(_saved_run() / "run.sqlite").read_bytes()]


def _entries() -> list[bytes]:
    with contextlib.closing(sqlite3.connect(_saved_run() / "run.sqlite")) as connection:
        found = connection.execute("SELECT key, value FROM meta").fetchall()
        found += connection.execute("SELECT 'fact/' || kind, data FROM facts").fetchall()
    for kind, data in (("graph", '{"rows_at": 0}'), ("memory", '{"peak": 1, "curve": []}'), ("code", "[]"),
                       ("witness", "{}"), ("weights", '{"grad": [1.5]}')):  # fmt: skip
        found.append((f"fact/{kind}", data))
    return [f"{key}\n{value}".encode() for key, value in found]


def _notebooks() -> list[bytes]:
    cells = [
        {"cell_type": "code", "source": "import torch\nx = 1", "execution_count": 2, "outputs": [], "metadata": {}},
        {"cell_type": "code", "source": ["for i in range(3):\n", "    pass"], "execution_count": 1, "outputs": []},
        {"cell_type": "markdown", "source": "# Title", "metadata": {}},
    ]
    return [json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()]


def _scripts() -> list[bytes]:
    loop = (
        "import torch\nfrom torch import nn\nmodel = nn.Linear(2, 2)\n"
        "opt = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for x, y in [(torch.ones(4, 2), torch.ones(4).long())]:\n    loss = nn.functional.cross_entropy(model(x), y)\n"
        "    loss.backward()\n    opt.step()\n"
    )
    return [loop.encode(), b"def f(a, *b, c=1, **d):\n    with a as b, c:\n        return [x for x in b if (y := x)]\n"]


def _caches() -> list[bytes]:
    whole = {"format": 1, "signature": "1", "parts": ["x"], "facts": [1, 2]}
    return [json.dumps(whole).encode()]


# What reads them.


def _table(folder: Path) -> Target:
    import firstlight as fl

    return lambda data: fl.load(kept(folder / "table.csv", data), target="kind", progress=False)


def _picture(folder: Path) -> Target:
    import firstlight as fl

    like, _test = fl.load("fashion_mnist_small")
    return lambda data: fl.read_picture(kept(folder / "one.png", data), like=like)


def _photos(folder: Path) -> Target:
    import firstlight as fl

    good = _pictures()[0]
    for name in ("cat/1", "cat/2", "dog/1", "dog/2", "dog/3"):
        kept(folder / "photos" / f"{name}.png", good)
    return lambda data: fl.load(kept(folder / "photos" / "cat" / "bad.png", data).parents[1], size=8, progress=False)


def _npz(folder: Path) -> Target:
    import firstlight as fl

    return lambda data: fl.load(kept(folder / "some.npz", data), progress=False)


def _npy(folder: Path) -> Target:
    """The array within the archive, so that checksums do not stand before everything."""
    import firstlight as fl

    labels = _headers()[1]

    def read(data: bytes) -> None:
        with zipfile.ZipFile(folder / "some.npz", "w") as archive:
            archive.writestr("X.npy", data)
            archive.writestr("y.npy", labels)
        fl.load(folder / "some.npz", progress=False)

    return read


def _pickle(folder: Path) -> Target:
    from firstlight.data.cifar import _batch

    return lambda data: _batch(folder / "data_batch_1", data, 10)


def _archive(folder: Path) -> Target:
    from firstlight.data import cifar

    path, names = folder / "cifar.tar.gz", {name for files in cifar.TEN.values() for name in files}
    return lambda data: cifar._unpack(kept(path, gzip.compress(data, 1)), "cifar-10-batches-py", names)


def _idx(folder: Path) -> Target:
    from firstlight.data.idx import read_idx

    return lambda data: read_idx(kept(folder / "images.gz", data), 3)


def _state(_folder: Path) -> Target:
    from firstlight.run import Run

    run = _saved_run()
    path = run / "checkpoints" / "best.safetensors"
    return lambda data: Run.open(kept(path, data).parents[1]).load_state("best")


def ask(run: Path) -> None:
    """All that lists and views ask of a record."""
    from firstlight.graph.recorded import NoLook
    from firstlight.run import Run
    from firstlight.run.listing import runs

    listed = runs(run.parent)
    repr(listed)
    listed._repr_html_()
    repr(listed.compare())
    one = Run.open(run)
    _ = one.status, one.plan.steps, one.info, one.environment, one.duration, one.resting, one.paused, one.steps
    for name in one.metrics()[:20]:
        one.metric(name)
        one.last(name)
    one.points_since(0)
    _ = one.facts_since(0), one.summary(), one.facts(), one.findings(), one.operations(0)
    for look in (one.graph, one.memory):
        with contextlib.suppress(NoLook):
            repr(look())


def _record(_folder: Path) -> Target:
    run = _saved_run()
    return lambda data: ask(kept(run / "run.sqlite", data).parent)


def _entry(_folder: Path) -> Target:
    """A whole record in which one text is another."""
    from firstlight.doctor.examining import examine
    from firstlight.errors import FirstlightError

    run = _saved_run()
    whole = (run / "run.sqlite").read_bytes()

    def read(data: bytes) -> None:
        key, _, value = data.decode("utf-8", "replace").partition("\n")
        (run / "run.sqlite").write_bytes(whole)
        with contextlib.closing(sqlite3.connect(run / "run.sqlite")) as connection:
            if key.startswith("fact/"):
                connection.execute("UPDATE facts SET kind = ?, data = ?", (key[5:], value))
            else:
                connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
            connection.commit()
        with contextlib.suppress(FirstlightError):
            ask(run)
        examine(run)

    return read


def _notebook(folder: Path) -> Target:
    from firstlight.doctor.running import examine_program

    return lambda data: examine_program(kept(folder / "lesson.ipynb", data), static=True)


def _script(folder: Path) -> Target:
    from firstlight.doctor.running import examine_program

    return lambda data: examine_program(kept(folder / "train.py", data), static=True)


def _cache(folder: Path) -> Target:
    import numpy as np
    import torch

    from firstlight.data import cache

    os.environ["FIRSTLIGHT_DATA"] = str(folder / "data")
    place = folder / "data" / "decoded" / "some"

    def read(data: bytes) -> None:
        kept(place / "meta.json", data)
        np.save(place / "x.npy", np.zeros(3))
        cache.remember("some", "1", lambda: ({"x": torch.zeros(3)}, [1]))

    return read


READERS = {
    "table": Reader(_tables, _table),
    "picture": Reader(_pictures, _picture),
    "photos": Reader(_pictures, _photos),
    "npz": Reader(_npzs, _npz),
    "npy": Reader(_headers, _npy),
    "pickle": Reader(_pickles, _pickle),
    "archive": Reader(_archives, _archive),
    "idx": Reader(_idxs, _idx),
    "state": Reader(_states, _state),
    "record": Reader(_records, _record),
    "entry": Reader(_entries, _entry),
    "notebook": Reader(_notebooks, _notebook),
    "script": Reader(_scripts, _script),
    "cache": Reader(_caches, _cache),
}

INTERESTING = (
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\0" * 8,
    b"\x80",
    b"-1",
    b"1e999",
    b"[[",
    b"{}",
    b'"',
    b"\r",
    b"nan",
    b"9" * 30,
    "\u202e".encode(),
    b"\n",
)


def mutated(data: bytes, source: random.Random) -> bytes:
    """The same file with a few changes."""
    changed = bytearray(data)
    for _change in range(source.choice((1, 1, 2, 4, 16))):
        at = source.randrange(len(changed) + 1)
        how = source.randrange(6)
        if how == 0 and at < len(changed):
            changed[at] ^= 1 << source.randrange(8)
        elif how == 1 and at < len(changed):
            changed[at] = source.randrange(256)
        elif how == 2:
            changed[at:at] = source.choice(INTERESTING)
        elif how == 3:
            word = source.choice(INTERESTING)
            changed[at : at + len(word)] = word
        elif how == 4:
            del changed[at : at + source.choice((1, 2, 8, 64))]
        else:
            other = source.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + source.choice((1, 8, 100))]
    return bytes(changed)


def guarded(target: Target, findings: Path) -> Callable[[bytes], None]:
    """The reader; what it raises beside our own errors is written down, once for each place."""
    from firstlight.errors import FirstlightError

    known: set[str] = set()

    def once(data: bytes) -> None:
        try:
            target(bytes(data))
        except FirstlightError:
            pass
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "firstlight" in frame.filename]
            place = f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno}" if ours else repr(frames[-1])
            if place not in known:
                known.add(place)
                number = len(list(findings.glob("*.bin")))
                (findings / f"{number}.bin").write_bytes(data)
                (findings / f"{number}.txt").write_text("".join(traceback.format_exception(error))[-4000:])

    return once


def here(name: str, engine: str, seconds: float, findings: Path) -> None:
    """Fuzz one reader in this process, until the time is up."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"]))
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["firstlight"]):
            for module in ("cli.doctor", "data.loading", "doctor.examining", "graph.recorded", "run.listing"):
                importlib.import_module(f"firstlight.{module}")
    corpus = Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"]))
    seeds = READERS[name].seeds()
    for number, seed in enumerate(seeds):
        (corpus / f"{number}").write_bytes(seed)
    once = guarded(READERS[name].target(folder), findings)
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the life of the process
    if engine == "atheris":
        words = [
            *(
                "fuzz",
                str(corpus),
                f"-max_total_time={int(seconds)}",
                f"-timeout={SLOW_S}",
                f"-rss_limit_mb={MEMORY_MB}",
            ),
            *(f"-artifact_prefix={findings}/", "-print_final_stats=1", "-verbosity=1"),
        ]
        atheris.Setup(words, once)
        atheris.Fuzz()
    source, until, runs = random.Random(time.time_ns()), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        once(mutated(source.choice(seeds), source))
        runs += 1
    print(f"Done {runs} runs", file=sys.stderr)


def fuzz(name: str, engine: str, seconds: float, keep: Path) -> dict[str, Any]:
    """Fuzz one reader in a process of its own; how many files it read, and what was found."""
    findings = keep / name
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    memory = Path("/dev/shm")  # many small files: not to a disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        world = {
            key: f"{folder}/{key.rpartition('_')[2].lower()}"
            for key in ("FIRSTLIGHT_DATA", "FIRSTLIGHT_RUNS", "FIRSTLIGHT_HOME", "FIRSTLIGHT_CACHE")
        }
        environment = {**os.environ, **world, "TMPDIR": folder, "FIRSTLIGHT_LANG": "en", "PYTHONWARNINGS": "ignore"}
        words = [sys.executable, "-m", "benchmarks.reliability.fuzz", "--here", name, "--engine", engine]
        words += ["--minutes", str(seconds / 60), "--keep", str(findings)]
        said = subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = said.stderr.decode(errors="replace")
    runs = re.findall(r"Done (\d+) runs|number_of_executed_units: (\d+)", text)
    new = sorted(path for path in findings.iterdir() if path not in before and path.suffix != ".txt")
    ended = "" if said.returncode == 0 else text[-2000:]
    return {
        "reader": name,
        "files": int(next(filter(None, runs[-1]))) if runs else 0,
        "found": [str(path) for path in new],
        "why": [
            path.with_suffix(".txt").read_text().strip().splitlines()[-1][:200] for path in new if path.suffix == ".bin"
        ],
        "ended": ended,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", nargs="*", choices=list(READERS), default=[], help="all by default")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for each reader")
    parser.add_argument("--engine", choices=("atheris", "mutate"))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "firstlight-fuzz"))
    parser.add_argument("--here", metavar="READER", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "mutate")
    if options.here:
        here(options.here, engine, options.minutes * 60, options.keep)
        return 0
    table = []
    if not options.json:
        from benchmarks.harness import machine_line

        print(machine_line())
        print(f"{engine}, {options.minutes:g} minutes for each reader")
    for name in options.reader or READERS:
        table.append(one := fuzz(name, engine, options.minutes * 60, options.keep))
        if not options.json:
            why = f"  {one['why'] or one['ended'][-300:]}" if one["found"] or one["ended"] else ""
            print(f"  {name:9} {one['files']:9,} files  unhandled {len(one['found'])}  bar 0{why}", flush=True)
    bad = [one for one in table if one["found"] or one["ended"] or not one["files"]]
    if options.json:
        print(json.dumps(table, indent=1))
    else:
        print(f"{len(table) - len(bad)} of {len(table)} readers without an exception that is not ours")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
