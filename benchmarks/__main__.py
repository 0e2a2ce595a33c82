"""Measure, print the table, and keep it: `make bench`, or `python -m benchmarks NAME ...` for some of its parts.

Everything is set up first: CIFAR-10, and an environment for the libraries to compare with. A bar that is not reached is
printed as such. What the machine was too noisy for is refused, and the exit status is then 1. `benchmarks/results` has
the whole table only; `python -m benchmarks.readme` then quotes it in the three READMEs.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import cifar, environment
from benchmarks.harness import ContenderFailed, Quiet, TooNoisy, machine, machine_line
from benchmarks.rows import ROWS, Row

RESULTS = Path(__file__).parent / "results"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is, as some parts do")
    options = parser.parse_args(words)
    if unknown := set(options.parts) - set(ROWS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    parts = options.parts or list(ROWS)
    begun = time.perf_counter()
    pictures = cifar.prepare()
    if {"lenet", "tutorial", "tools", "forecast"} & set(parts):
        environment.prepare()
    facts = machine()
    when = datetime.datetime.now(datetime.timezone.utc)
    print(f"{machine_line(facts)}\nCIFAR-10: {pictures}", flush=True)
    quiet = Quiet()
    rows, refused = measure(parts, quiet)
    text = table(rows, facts, when, time.perf_counter() - begun)
    print(text)
    if not options.no_save and not options.parts:
        save(rows, facts | {"cifar10": pictures}, when, text, quiet.seen)
    return int(refused)


def measure(parts: Sequence[str], quiet: Quiet) -> tuple[list[Row], bool]:
    """The rows of these parts, and whether one was refused."""
    rows: list[Row] = []
    refused = False
    for part in parts:
        begun = time.perf_counter()
        print(f"== {part}", flush=True)
        try:
            rows += ROWS[part](quiet)
        except TooNoisy as noise:
            rows.append(Row(part, part, "-", f"refused, this machine is too noisy: {noise}", None, None))
            refused = True
        except ContenderFailed as failure:
            print(failure, file=sys.stderr, flush=True)
            rows.append(Row(part, part, "-", f"failed: {str(failure).splitlines()[0]}", None, None))
            refused = True
        print(f"   {time.perf_counter() - begun:.0f} s", flush=True)
    return rows, refused


def table(rows: Sequence[Row], facts: Mapping[str, Any], when: datetime.datetime, seconds: float) -> str:
    """Markdown that lines up in a terminal too."""
    head = ("measured", "bar", "found", "verdict")
    cells = [head, *((row.what, row.bar, row.value, row.verdict) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]

    def line(words: Sequence[str]) -> str:
        return "| " + " | ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    table = [line(head), rule, *map(line, cells[1:])]
    works = next((row.details["works"] for row in rows if "works" in row.details), None)
    if works:
        table += ["", *where_time_goes(works)]
    speeds = next((row.details["samples_per_s"] for row in rows if "samples_per_s" in row.details), None)
    if speeds:
        table += ["", "pictures/s, LeNet, batch 128: " + ", ".join(f"{name} {rate:,}" for name, rate in speeds.items())]
    tools = next((row.details["lines"] for row in rows if "lines" in row.details), None)
    if tools:
        table += ["", *tools]
    foot = f"{when:%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} min, {machine_line(facts)}"
    return "\n".join(["", *table, "", foot])


def where_time_goes(works: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Shares of wall time by whose they are, a line for each work."""
    lines = []
    for name, one in works.items():
        shares = ", ".join(f"{whose} {share:.0%}" for whose, share in one["shares"].items())
        lines.append(f"{name:12} {one['step_ms']:8.1f} ms a step, {one['precision']}: {shares}")
    return lines


def save(rows: Sequence[Row], facts: Mapping[str, Any], when: datetime.datetime, text: str, noise: list[str]) -> Path:
    """Keep the table as text, and everything behind it as JSON."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{when:%Y-%m-%dT%H%MZ}.json"
    found = {
        "date": when.isoformat(timespec="seconds"),
        "command": "make bench",
        "machine": dict(facts),
        "did_not_count": noise,
        "rows": [{**vars(row), "verdict": row.verdict} for row in rows],
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".txt").write_text(text.strip("\n") + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return path


if __name__ == "__main__":
    sys.exit(main())
