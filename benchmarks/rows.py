"""The rows of the table: each function measures one thing and returns its rows, with the bar that each is held to."""

import functools
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import environment, nested, record_size, watch_graph, watch_overhead, watch_page, watch_peers
from benchmarks.harness import (
    Comparison,
    Contender,
    ContenderFailed,
    Quiet,
    Ratio,
    Turn,
    compare,
    machine,
    program,
)

PEERS = {
    "Lightning": "lightning_",
    "Accelerate": "accelerate_",
    "fastai": "fastai_",
    "skorch": "skorch_",
    "Keras": "keras_",
}
LENET = {"BENCH_BATCH": "128", "BENCH_EPOCHS": "1", "BENCH_PICTURES": "50000", "BENCH_WORKERS": "0"}
TUTORIAL_S = 240.0  # beyond twice its usual time, the tutorial is not waited for
SEEDS_TO_90 = 2  # each is one and a half minutes; `python -m benchmarks.recipes` trains with others
REPEATS = 5  # of each work, watched and not
RECORD_S = 8.0  # each work


@dataclass
class Row:
    """One line of the table.

    Attributes:
        name: What was measured, in a few words and without spaces: results are found by it.
        what: The same for readers.
        bar: What is to be reached, in words.
        value: What was found, in words.
        number: The number that was held against the bar; None where nothing was measured.
        reached: Whether the bar is reached; None where nothing was measured.
        details: Everything behind it.
    """

    name: str
    what: str
    bar: str
    value: str
    number: float | None
    reached: bool | None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return {True: "reached", False: "NOT reached", None: "-"}[self.reached]


def at_least(name: str, what: str, ratio: Ratio, bar: float, details: dict[str, Any], note: str = "") -> Row:
    return Row(name, what, f">= {bar:g}x", f"{ratio}{note}", ratio.median, ratio.median >= bar, details)


def imports(quiet: Quiet) -> list[Row]:
    """Start-up: what the import adds to a bare Python, and the help."""
    command = Path(sys.executable).with_name("firstlight.exe" if sys.platform == "win32" else "firstlight")

    def help_page() -> None:
        subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL)

    found = compare(
        {"python": program("-c", "pass"), "import": program("-c", "import firstlight"), "help": help_page},
        9,
        quiet=quiet,
    )
    added = statistics.median(b - a for a, b in zip(found.times_s("python"), found.times_s("import"), strict=True))
    help_s = found.median_s("help")
    return [
        Row("import", "`import firstlight`, beyond Python itself", "< 50 ms", f"{1000 * added:.0f} ms", added,
            added < 0.05, found.as_json()),
        Row("help", "`firstlight --help`", "< 0.2 s", f"{help_s:.2f} s", help_s, help_s < 0.2),
    ]  # fmt: skip


def lenet(quiet: Quiet) -> list[Row]:
    """The same LeNet, batch, epochs and pictures, written for each library as its users write it."""
    python = environment.prepare()
    contenders = {
        "fit": program("-m", "benchmarks.ours.fit_lenet", env=LENET),
        "DataLoader loop": program("-m", "benchmarks.peers.plain", python=python, env=LENET),
        "train.batches loop": program("-m", "benchmarks.ours.loop", env=LENET),
        **{
            name: program("-m", f"benchmarks.peers.{module}", python=python, env=LENET)
            for name, module in PEERS.items()
        },
    }
    found = compare(contenders, 3, quiet=quiet, rounds_of=dict.fromkeys(PEERS, 2))
    best = min(PEERS, key=found.median_s)
    behind = {**found.as_json(), "samples_per_s": _rates(found)}
    return [
        at_least("fit-plain", "same LeNet, batch 128, one epoch: `fit` against the plain DataLoader loop",
                 found.ratio("DataLoader loop", "fit"), 5, behind),
        at_least("fit-peer", "the same: `fit` against the best of Lightning, Accelerate, fastai, skorch, Keras",
                 found.ratio(best, "fit"), 6, {"best": best}, f" against {best}"),
        at_least("loop", "the learner's plain loop over `train.batches` against the same loop over DataLoader",
                 found.ratio("DataLoader loop", "train.batches loop"), 4, {}),
    ]  # fmt: skip


def _rates(found: Comparison) -> dict[str, int]:
    """Pictures a second of each contender, in its median turn."""
    return {
        name: round(statistics.median(turn.facts["samples"] / turn.seconds for turn in turns))
        for name, turns in found.turns.items()
    }


def works(quiet: Quiet) -> list[Row]:
    """Where time goes in five works, what memory they take, and the ResNet-like net's share of the chip's peak."""
    names = ("lenet", "resnet", "mlp", "transformer", "linear")
    turns = {name: program("-m", "benchmarks.ours.works", name) for name in names}
    found = compare(turns, 1, quiet=quiet)
    facts = {name: found.turns[name][0].facts for name in names}
    share = facts["resnet"]["share_of_peak"]
    value = (
        f"{share:.0%} of {facts['resnet']['gemm_gflops']:,.0f} GFLOP/s in {facts['resnet']['gemm']}, "
        f"{facts['resnet']['step_ms']:.0f} ms a step in {facts['resnet']['precision']}"
    )
    rows = [Row("peak", "`fit` on the ResNet-like net: share of the GEMM peak of the same run", ">= 50 %", value,
                share, share >= 0.5, {"works": facts})]  # fmt: skip
    for name, one in facts.items():
        peak, bound = one["peak_memory"], BOUNDS_MIB[name]
        if peak is not None:
            mib = peak / 2**20
            text = f"{mib:,.0f} MiB beside {one['data_bytes'] / 2**20:,.0f} MiB of data"
            what = f"peak memory that `fit` adds: {name}"
            rows.append(Row(f"memory-{name}", what, f"<= {bound} MiB", text, mib, mib <= bound))
    return rows


# What each work may take above what the process held before `fit`.
BOUNDS_MIB = {"lenet": 300, "resnet": 1200, "mlp": 150, "transformer": 600, "linear": 600}


def busy(quiet: Quiet) -> list[Row]:
    """Beside one busy process: our number of threads against torch's."""

    ways = ("fit-defaults", "fit", "loop-defaults", "loop-lab")
    found = compare({way: program("-m", "benchmarks.ours.beside_busy", way) for way in ways}, 2, quiet=quiet)

    def per(turn: Turn) -> float:
        return float(turn.facts["step_ms"])

    steps = {name: round(found.fact(name, "step_ms"), 1) for name in found.turns}
    details = {**found.as_json(), "step_ms": steps}
    note = " ({:.0f} ms -> {:.1f} ms a step)"
    return [
        at_least("busy-fit", "one other process busy: `fit` against `fit` with torch's default threads",
                 found.ratio("fit-defaults", "fit", per), 5, details, note.format(steps["fit-defaults"], steps["fit"])),
        at_least("busy-loop", "the same: a plain loop in a kernel of the lab against plain Python",
                 found.ratio("loop-defaults", "loop-lab", per), 5, {},
                 note.format(steps["loop-defaults"], steps["loop-lab"])),
    ]  # fmt: skip


def tutorial(quiet: Quiet) -> list[Row]:
    """The tutorial as written, and how soon a recipe reaches its accuracy and 90 %."""
    python = environment.prepare()
    seeds = range(5)

    def recipe(goal: str, *numbers: int) -> Contender:
        return program("-m", "benchmarks.ours.recipe", goal, *map(str, numbers), limit_s=2 * TUTORIAL_S)

    found = compare(
        {
            "tutorial": program("-m", "benchmarks.peers.tutorial", python=python, limit_s=2 * TUTORIAL_S),
            "53": recipe("53", *seeds),
            **{f"90, seed {seed}": recipe("90", seed) for seed in seeds[:SEEDS_TO_90]},
        },
        1,
        quiet=quiet,
    )
    whole = found.median_s("tutorial")
    details = found.as_json()
    soon: list[tuple[float, float]] = found.turns["53"][0].facts["runs"]
    tried = seeds[:SEEDS_TO_90]
    good = [(turn.seconds, turn.facts["accuracy"]) for seed in tried for turn in found.turns[f"90, seed {seed}"]]
    (soon_s, soon_to), (good_s, good_to) = (map(statistics.fmean, zip(*runs, strict=True)) for runs in (soon, good))
    slowest, quickest = (edge(seconds for seconds, _accuracy in soon) for edge in (max, min))
    quick = Ratio(whole / soon_s, whole / slowest, whole / quickest)
    return [
        Row("tutorial", "the tutorial as written: its two epochs", "(the yardstick)",
            f"{whole:.0f} s, {found.fact('tutorial', 'accuracy'):.1%}", whole, None, details),
        Row("to-53", "time to the tutorial's own accuracy (53 %), mean of five seeds, against the tutorial",
            ">= 40x, >= 53 %", f"{quick}, {soon_s:.1f} s, accuracy {soon_to:.1%}", quick.median,
            quick.median >= 40 and soon_to >= 0.53),
        Row("to-90", "CIFAR-10, accuracy on the test split within the tutorial's time, mean of two seeds",
            ">= 90 %, <= 1.0x", f"{good_to:.2%}, {good_s:.0f} s, {good_s / whole:.2f}x", good_to,
            good_s <= whole and good_to >= 0.9),
    ]  # fmt: skip


def gpu(quiet: Quiet) -> list[Row]:
    """One accelerator: training time to 94 %, mean of ten runs after a warm-up run."""
    what, bar = "CIFAR-10, training time to 94 % on one H100, mean of ten runs", "<= 2.0 s and >= 94 %"
    asked = "import torch; print(torch.cuda.is_available())"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    if answer.stdout.strip() != "True":
        return [Row("gpu-94", what, bar, "not measured: no CUDA device", None, None)]
    found = compare({"94": program("-m", "benchmarks.ours.recipe", "94")}, 1, quiet=quiet).turns["94"][0]
    name = machine()["gpu"]
    value = (
        f"{found.seconds:.2f} s, mean accuracy {found.facts['accuracy']:.2%} of {len(found.facts['seeds'])} on {name}"
    )
    reached = found.seconds <= 2.0 and found.facts["accuracy"] >= 0.94
    # On another device the number is told; the bar is the H100's.
    return [Row("gpu-94", what, bar, value, found.seconds, reached if "H100" in str(name) else None, found.facts)]


@functools.cache
def _overheads() -> list[dict[str, Any]]:
    return watch_overhead.compared(list(watch_overhead.WORKS))


def watch(_quiet: Quiet) -> list[Row]:
    """What `fl.watch` costs with its defaults, of the time of a step, on four works."""
    found = _overheads()  # guards its own turns, in processes of their own
    bar, median_bar = watch_overhead.BAR, watch_overhead.MEDIAN_BAR
    rows = []
    for one in found:
        share, same = one["overhead"], one["bit_identical"]
        text = (
            f"{share:+.1%} \u00b1 {one['error']:.1%} of {one['step_ms']:.1f} ms, "
            f"{'same bits' if same else 'OTHER BITS'}; {one['overhead_later']:+.1%} after the first repeat"
        )
        rows.append(Row(f"watch-{one['work']}", f"`fl.watch`, longer steps: {one['work']}, one thread", f"< {bar:.0%}",
                        text, share, share < bar and same, one))  # fmt: skip
    median = statistics.median(one["overhead"] for one in found)
    rows.append(Row("watch-median", "`fl.watch`, longer steps: median of the four", f"< {median_bar:.0%}",
                    f"{median:+.1%}", median, median < median_bar))  # fmt: skip
    return rows


def tools(_quiet: Quiet) -> list[Row]:
    """Other ways of looking at a model while it trains: cost and what is shown, beside `fl.watch`."""
    others = watch_peers.theirs()
    own = {one["work"]: one for one in _overheads() if one["work"] in watch_peers.WORKS}
    lines = watch_peers.table(own, others)
    cheapest = min(
        (one["ratio"] - 1, watch_peers.TOOLS[tool][0])
        for tool, works in others.items()
        for work, one in works.items()
        if work == "lenet" and "ratio" in one and tool != "histograms-1000"
    )
    return [
        Row("watch-tools", "TorchLens, torchview, torchinfo, histograms, each step, LeNet: the cheapest adds",
            "(table below)", f"{cheapest[0]:+.0%} of a step ({cheapest[1]})", cheapest[0], None,
            {"tools": others, "lines": lines}),
    ]  # fmt: skip


def record(_quiet: Quiet) -> list[Row]:
    """How large the record of a watched run becomes."""
    rows = []
    with ThreadPoolExecutor(2) as two:  # sizes are no times: they may be taken side by side
        small = two.map(lambda name: record_size.sizes([name], RECORD_S)[0], watch_overhead.WORKS)
        large = two.submit(record_size.million).result()
    for one in small:
        size = one["bytes_per_step"]
        text = f"{size:.0f} B, after {one['first_bytes'] / 1000:.0f} kB for the first {one['first_steps']:,} steps"
        rows.append(Row(f"record-{one['work']}", f"record of a watched run: bytes a step, {one['work']}",
                        f"< {record_size.BAR} B", text, size, size < record_size.BAR, one))  # fmt: skip
    megabytes = large["bytes"] / 1e6
    rows.append(Row("record-million", f"record of {large['steps']:,} watched steps", "< 250 MB",
                    f"{megabytes:.1f} MB, {large['seconds']:.0f} s", megabytes,
                    large["bytes"] < record_size.MILLION_BAR, large))  # fmt: skip
    return rows


def page(_quiet: Quiet) -> list[Row]:
    """The page of a real lab while a loop of 100,000 steps is watched in a cell."""
    turn = program("-m", "benchmarks.watch_page", "--json", limit_s=400)()
    assert isinstance(turn, Turn)
    found = turn.facts
    frames_bar, heap_bar = watch_page.FRAMES_BAR, watch_page.HEAP_BAR_MB
    what = f"browser, {watch_page.STEPS:,} watched steps in a cell: "
    if "reason" in found:
        return [Row("page-frames", what + "frames a second", f"> {frames_bar}", f"not measured: {found['reason']}",
                    None, None)]  # fmt: skip
    if found["ended"] != "done" or found["errors"]:
        raise ContenderFailed(f"the notebook's cells ended with {found['ended']}, {found['errors']} errors")
    return [
        Row("page-frames", what + "frames a second", f"> {frames_bar}",
            f"{found['frames_per_s']:.0f}, in the slowest second {found['lowest_frames_per_s']:.0f}",
            found["frames_per_s"], found["frames_per_s"] > frames_bar, found),
        Row("page-memory", what + "what its scripts hold", f"< {heap_bar} MB",
            f"{found['heap_mb']:.0f} MB, {found['heap_before_mb']:.0f} before the loop", found["heap_mb"],
            found["heap_mb"] < heap_bar),
    ]  # fmt: skip


def graph(_quiet: Quiet) -> list[Row]:
    """How soon a large graph can be read in the tab of a live view."""
    turn = program("-m", "benchmarks.watch_graph", "--json", limit_s=400)()
    assert isinstance(turn, Turn)
    found, bar = turn.facts, watch_graph.BAR_S
    what = f"browser, a graph of {watch_graph.OPERATIONS:,} operations while its loop runs: until it can be read"
    if "reason" in found:
        return [Row("page-graph", what, f"< {bar:g} s", f"not measured: {found['reason']}", None, None)]
    times = found["opened_s"]
    middle = statistics.median(times)
    return [
        Row("page-graph", what, f"< {bar:g} s", f"{middle:.2f} s ({min(times):.2f} to {max(times):.2f})", middle,
            middle < bar, found),
    ]  # fmt: skip


def shapes(quiet: Quiet) -> list[Row]:
    """Samples of different shapes: together against one by one, and without padding against with it."""
    found = {work: nested.compared(work, quiet) for work in nested.WAYS}

    def row(work: str, slow: str, fast: str, bar: float, what: str) -> Row:
        one = found[work]
        note = f" ({1000 * one.median_s(slow):.1f} ms -> {1000 * one.median_s(fast):.1f} ms a batch)"
        return at_least(f"nest-{work}", what, one.ratio(slow, fast), bar, one.as_json(), note)

    return [
        row("trees", "one by one", "by depth", 5,
            "64 expression trees: all nodes of a depth as one operation against one by one"),
        row("texts", "one by one", "jagged", 3, "256 texts of different lengths: jagged against one by one"),
        row("long", "padded", "jagged", 10, "the same, one of them 20 times as long: jagged against padded"),
    ]  # fmt: skip


def forecast(_quiet: Quiet) -> list[Row]:
    """`fl.memory` before the first step against the profiler, and torchinfo's estimate."""
    python = environment.prepare()
    turns = (program("-m", "benchmarks.forecast", "--json"),
             program("-m", "benchmarks.peers.torchinfo_memory", python=python))  # fmt: skip
    with ThreadPoolExecutor(2) as two:  # no times either
        own, other = two.map(lambda take_turn: take_turn(), turns)
    assert isinstance(own, Turn)
    assert isinstance(other, Turn)
    rows = []
    for name, who, found in (("forecast", "`fl.memory`", own.facts), ("torchinfo", "torchinfo", other.facts)):
        for which, bar in (("median", 0.02), ("worst", 0.10)):
            what = f"memory foretold by {who}, {found['models']} models: {which} error"
            reached = found[which] <= bar if name == "forecast" else None
            held = f"<= {bar:.0%}" if name == "forecast" else "(beside it)"
            details = found if which == "median" else {}
            rows.append(Row(f"{name}-{which}", what, held, f"{found[which]:.1%}", found[which], reached, details))
    return rows


ROWS: Mapping[str, Callable[[Quiet], list[Row]]] = {
    "imports": imports,
    "lenet": lenet,
    "busy": busy,
    "works": works,
    "watch": watch,
    "tools": tools,
    "record": record,
    "page": page,
    "graph": graph,
    "shapes": shapes,
    "forecast": forecast,
    "tutorial": tutorial,
    "gpu": gpu,
}
