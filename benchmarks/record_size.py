"""How large the record of a watched run becomes: bytes of its folder on disk, at default sampling.

    python -m benchmarks.record_size [WORK ...] [--seconds 20] [--million] [--steps 1000000] [--json]

Each work of `benchmarks.watched` learns for some seconds, and for 240 steps however long they take, in a process of
its own, watched with the defaults. The record is measured after a quarter of both and at the end: what lies between,
for each of the steps between, is what a step takes (SQLite grows by pages of 4 kB: a few steps say little); before it
lies what is written once, the graph and the looks at the first steps. `--million` makes a million real steps of the
shortest loop there is (one weight), watched, and measures its folder; nothing is extrapolated.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import firstlight as fl
from benchmarks.harness import Turn, machine_line, program, report
from benchmarks.watch_overhead import Stream
from benchmarks.watched import WORKS

SECONDS = 20.0
FEWEST = 240  # steps
STEPS = 1_000_000
BAR, MILLION_BAR = 200, 250e6


def on_disk(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def written(folder: Path) -> int:
    """Bytes of the record as far as it is written, what still lies in its write-ahead log included."""
    record = sqlite3.connect(f"{(folder / 'run.sqlite').as_uri()}?mode=ro", uri=True)
    try:
        (pages,), (size,) = (record.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    finally:
        record.close()
    return int(pages * size)


def work(name: str, seconds: float) -> dict[str, Any]:
    """Watch one work for so long, and for so many steps."""
    one = WORKS[name]
    stream = Stream(one)
    run = fl.watch(
        stream.model, stream.optimizer, checkpoint=False
    )  # weights are as large as the model, not as long as the run
    begun = time.perf_counter()
    early: tuple[int, int] | None = None
    while (passed := time.perf_counter() - begun) < seconds or len(stream.losses) < FEWEST:
        stream.block(one.block)
        if early is None and passed > seconds / 4 and len(stream.losses) >= FEWEST / 4:
            time.sleep(1.0)  # the writer is at most half a second behind
            early = len(stream.losses), written(run.folder)
    time.sleep(1.0)
    late = len(stream.losses), written(run.folder)
    run.finish()
    early = early or (0, 0)
    return {
        "work": name,
        "steps": late[0],
        "bytes": on_disk(run.folder),
        "first_steps": early[0],
        "first_bytes": early[1],
        "bytes_per_step": (late[1] - early[1]) / (late[0] - early[0]),
    }


def many(steps: int) -> dict[str, Any]:
    """So many watched steps of one weight."""
    weight = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], lr=1e-7)
    run = fl.watch(None, optimizer)
    begun = time.perf_counter()
    for _step in range(steps):
        optimizer.zero_grad()
        (weight * weight).backward()
        optimizer.step()
    passed = time.perf_counter() - begun
    run.finish()
    return {"steps": steps, "bytes": on_disk(run.folder), "seconds": passed, "points": len(run.metric("train/loss"))}


def taken(*words: str) -> dict[str, Any]:
    """What a process of its own reports: one thread, output to a file, the record in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"FIRSTLIGHT_RUNS": folder, "FIRSTLIGHT_VIEW": "", "FIRSTLIGHT_LANG": "en", "OMP_NUM_THREADS": "1"}
        turn = program("-m", "benchmarks.record_size", "--here", *words, env=env)()
    assert isinstance(turn, Turn)
    return {"seconds": turn.seconds, **turn.facts}


def sizes(names: list[str], seconds: float = SECONDS) -> list[dict[str, Any]]:
    return [taken(name, "--seconds", str(seconds)) for name in names]


def million(steps: int = STEPS) -> dict[str, Any]:
    return taken("--million", "--steps", str(steps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", choices=[*WORKS, []], help="all by default")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--here", action="store_true", help="measure in this very process; prints JSON")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.here:
        assert "FIRSTLIGHT_RUNS" in os.environ
        found = many(options.steps) if options.million else work(options.works[0], options.seconds)
        report(found.pop("seconds", options.seconds), **found)
        return
    table = [] if options.million else sizes(options.works or list(WORKS), options.seconds)
    large = million(options.steps) if options.million or not options.works else None
    if options.json:
        print(json.dumps({"works": table, "million": large}, indent=1))
        return
    print(machine_line())
    for one in table:
        print(
            f"{one['work']:11} {one['bytes']:9,} bytes after {one['steps']:,} steps: {one['first_bytes']:,} of the "
            f"first {one['first_steps']:,}, then {one['bytes_per_step']:.0f} a step"
        )
    if large is not None:
        print(f"{large['steps']:,} steps in {large['seconds']:.0f} s: {large['bytes'] / 1e6:.1f} MB, "
              f"{large['bytes'] / large['steps']:.1f} bytes a step, {large['points']:,} losses")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
