"""Samples of different shapes, one by one and together: `python -m benchmarks.nested [WORK ...]`.

The nets are those of the lesson `the_graph_is_alive`, taken from its cells. Each turn is a process of its own that
makes batches and trains on them, forward and back, for two seconds. Printed are milliseconds a batch, medians of three
turns each, and how many times as fast the others are as one by one. `make bench` holds three of them to a bar.

    trees   64 expressions as trees: recursion, and all nodes of the same depth as one operation
    texts   256 expressions as text: one by one, padded with a mask, jagged
    long    the same, with one text 20 times as long
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.harness import Comparison, Quiet, compare, machine_line, program, report

WAYS = {
    "trees": ("one by one", "by depth"),
    "texts": ("one by one", "padded", "jagged"),
    "long": ("one by one", "padded", "jagged"),
}
WARM = 3
SECONDS = 2.0
ROUNDS = 3


def lesson(*marks: str) -> dict[str, Any]:
    """What these cells of the lesson make."""
    import firstlight as fl
    from firstlight.lessons import notebook_path

    cells = json.loads(notebook_path("the_graph_is_alive", "en").read_text(encoding="utf-8"))["cells"]
    space: dict[str, Any] = {"torch": torch, "nn": nn, "fl": fl}
    space["train"], space["test"] = fl.load("arithmetic")
    for mark in marks:
        (code,) = ["".join(cell["source"]) for cell in cells if mark in "".join(cell["source"])]
        exec(code, space)
    return space


def scores(work: str, way: str) -> tuple[nn.Module, Callable[[], torch.Tensor], torch.Tensor]:
    """The model, its scores of one batch, and the labels."""
    import firstlight as fl

    torch.manual_seed(0)
    if work == "trees":
        made = lesson("small = next(", "class TreeNet", "class DepthNet")
        model = made["DepthNet" if way == "by depth" else "TreeNet"]()
        trees, labels = made["train"].inputs[:64], made["train"].labels[:64]
        return model, lambda: model(trees), labels
    made = lesson("CHARACTERS = ", "class TextNet")
    model, texts, labels = made["text_net"], made["texts"], made["labels_of_texts"]
    if work == "long":
        texts = [texts[0].repeat(20), *texts[1:]]
    if way == "one by one":
        return model, lambda: torch.cat([model(text[None]) for text in texts]), labels

    def together() -> torch.Tensor:
        batch = fl.nest(texts, layout=way)  # making the batch counts, too
        return model(batch.values, mask=batch.mask)

    return model, together, labels


def turn(work: str, way: str) -> None:
    model, forward, labels = scores(work, way)
    times: list[float] = []
    while len(times) < WARM + 5 or sum(times[WARM:]) < SECONDS:
        begun = time.perf_counter()
        model.zero_grad()
        nn.functional.cross_entropy(forward(), labels).backward()
        times.append(time.perf_counter() - begun)
    report(statistics.median(times[WARM:]), steps=len(times) - WARM)


def compared(work: str, quiet: Quiet) -> Comparison:
    ways = {way: program("-m", "benchmarks.nested", work, "--turn", way) for way in WAYS[work]}
    return compare(ways, ROUNDS, quiet=quiet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", choices=[*WAYS, []], default=[])
    parser.add_argument("--turn", metavar="WAY", help="one turn only, as the others start it")
    asked = parser.parse_args()
    if asked.turn:
        turn(asked.works[0], asked.turn)
        return
    print(f"{machine_line()}, {torch.get_num_threads()} thread(s)")
    for work in asked.works or WAYS:
        found, ways = compared(work, Quiet()), WAYS[work]
        print(f"{work}: " + ", ".join(f"{way} {1000 * found.median_s(way):.2f} ms" for way in ways), flush=True)
        for way in ways[1:]:
            print(f"    {found.ratio('one by one', way)}", flush=True)
        if "jagged" in ways:
            print(f"    {found.ratio('padded', 'jagged')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
