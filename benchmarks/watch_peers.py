"""`fl.watch` beside other ways of looking at a model while it trains: what a step costs, and what is to be seen.

    python -m benchmarks.watch_peers [--json]

The same model, LeNet and a small transformer (`benchmarks.watched`), plain and looked at in turns, on one thread, each
tool in a process of its own: TorchLens, torchview, torchinfo in the environment of `benchmarks.environment`, and
gradient histograms as `wandb.watch` makes them, written by hand (`benchmarks/peers/watching.py` has all of them). They
look at each step; `fl.watch` looks at the steps that its defaults choose, and notes the others. What is shown is from
each tool's documentation; the counts below it are of the newest step, and show that the tool saw it.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks import environment
from benchmarks.harness import ContenderFailed, Turn, machine_line, program, version_of
from benchmarks.watch_overhead import compared

WORKS = ("lenet", "transformer")
ASKED = ("forward graph", "backward graph", "shapes", "source lines", "diff of two steps", "memory",
         "gradients over time", "live", "in a plain loop")  # fmt: skip
TOOLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "torchlens": ("TorchLens, `trace`", ("yes", "yes", "yes", "yes", "yes", "yes", "no", "no", "no")),
    "torchlens-record": ("TorchLens, `Recorder`", ("no", "no", "yes", "no", "no", "no", "no", "no", "no")),
    "torchview": ("torchview", ("yes", "no", "yes", "no", "no", "no", "no", "no", "no")),
    "torchinfo": ("torchinfo", ("no", "no", "yes", "no", "no", "forecast", "no", "no", "no")),
    "histograms": ("histograms, each step", ("no", "no", "no", "no", "no", "no", "yes", "by a server", "yes")),
    "histograms-1000": ("histograms, each 1,000th", ("no", "no", "no", "no", "no", "no", "yes", "by a server", "yes")),
}
OURS = ("`fl.watch`", ("yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes"))


def ours(repeats: int) -> dict[str, dict[str, Any]]:
    """`fl.watch` on the same works."""
    return {one["work"]: one for one in compared(list(WORKS), repeats)}


def theirs() -> dict[str, dict[str, dict[str, Any]]]:
    """Each tool on each work; where one fails, the reason."""
    python = environment.prepare()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for tool in TOOLS:
        for work in WORKS:
            take_turn = program("-m", "benchmarks.peers.watching", tool, work, python=python, limit_s=120)
            try:
                turn = take_turn()
            except ContenderFailed as failure:
                found.setdefault(tool, {})[work] = {"failed": str(failure).splitlines()[-1][:120]}
                continue
            assert isinstance(turn, Turn)
            found.setdefault(tool, {})[work] = {"step_s": turn.seconds, **turn.facts}
    return found


def cost(one: dict[str, Any]) -> str:
    """In a cell of the table."""
    if "failed" in one:
        return f"fails: {one['failed']}"
    return f"{1000 * one['plain_s']:.0f} -> {1000 * one['step_s']:.0f} ms, {one['ratio']:.2f}x"


def table(own: dict[str, dict[str, Any]], others: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Markdown: cost, and what is shown."""
    as_theirs = {
        work: {"plain_s": one["step_ms"] / 1000, "step_s": one["watched_step_ms"] / 1000, "ratio": 1 + one["overhead"]}
        for work, one in own.items()
    }
    rows = [["a step's cost and what is shown", *(f"{work}, ms a step" for work in WORKS), *ASKED]]
    rows.append([OURS[0], *(cost(as_theirs[work]) for work in WORKS), *OURS[1]])
    rows += [[name, *(cost(others[tool][work]) for work in WORKS), *shown] for tool, (name, shown) in TOOLS.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=6)
    options = parser.parse_args()
    others, own = theirs(), ours(options.repeats)
    if options.json:
        print(json.dumps({"ours": own, "theirs": others}, indent=1))
        return
    print(machine_line(), f"firstlight {version_of('firstlight')}", sep=", ")
    print("\n".join(table(own, others)))
    for tool, works in others.items():
        print(f"{tool} saw", *(f"{work}: {one.get('found')}" for work, one in works.items()))


if __name__ == "__main__":
    sys.exit(main())
