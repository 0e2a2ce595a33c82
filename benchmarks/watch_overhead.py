"""What `fl.watch` costs: the same training steps watched with its defaults and not watched, in turns, in one process.

    python -m benchmarks.watch_overhead [WORK ...] [--repeats 12] [--threads 1] [--json]

Each of the four works of `benchmarks.watched` has a process of its own. There two copies of the model learn from the
same seeds and data, one watched and one plain. A round times blocks of steps of about a tenth of a second in the order
plain, watched, watched, plain, so that a machine that becomes faster or slower does so for both; four rounds are a
repeat, and a block before them wakes the processor and is not counted. While the plain copy learns the watched run
rests, as it does between two cells of a notebook, and its recorder has left torch. To go on, a run starts its view
anew, which it does once for each cell of a notebook and here every second block: the step that does so is timed apart,
and so is the plain copy's step in its place. The first steps of all, at which a run looks most, are counted as any
others.

Printed are the time of a step of each, and how much longer a watched one takes: all blocks together, with the standard
error that the rounds show; the same of processor time, the threads of the record and of the view included; what the run
says of itself; how long it takes to go on after a rest, beyond the step; and whether all losses and the weights at the
end are the same, bit for bit.

One thread computes, so that times can be told apart at all: with two on two cores, whatever else wakes up stops both,
and plain blocks alone differ by more than the bar (LOG.md). `--threads 2` measures it all the same.

The view is the one of a script whose output goes to a file: a thread gathers the curves ten times a second and writes a
line now and then. A notebook's widget is not in these numbers. A repeat beside which something else used the machine
does not count (`benchmarks.harness`).
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

import firstlight as fl
from benchmarks.harness import Quiet, TooNoisy, Turn, machine_line, program, report
from benchmarks.watched import WORKS, Work
from firstlight.run import Recorder, Run
from firstlight.run.taps import taps

REPEATS = 12
ROUNDS = 4  # of plain, watched, watched, plain, in a repeat
SLOWER = 1.6  # blocks lie side by side: a machine that changes its speed disturbs less than in turns of many seconds
BAR, MEDIAN_BAR = 0.03, 0.02


class Stream:
    """One copy of a work on its way: its model, its batches, its random numbers, and the losses so far."""

    def __init__(self, work: Work) -> None:
        torch.manual_seed(0)
        self.model = work.model()
        self.optimizer = work.optimizer(self.model.parameters())
        loader = work.loader()

        def batches() -> Iterator[tuple[Tensor, ...]]:
            while True:
                yield from loader

        self._batches = batches()
        self._random = torch.get_rng_state()
        self.losses: list[Tensor] = []
        self.wall: list[float] = []  # of each block, in seconds
        self.processor: list[float] = []

    def block(self, steps: int, *, counts: bool = True) -> None:
        """Make so many steps of a plain loop, and note their time where it counts."""
        torch.set_rng_state(self._random)
        wall, processor = time.perf_counter(), time.process_time()
        for _step in range(steps):
            inputs, labels = next(self._batches)
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(inputs), labels)
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.detach())
        if counts:
            self.wall.append(time.perf_counter() - wall)
            self.processor.append(time.process_time() - processor)
        self._random = torch.get_rng_state()


def recorder_of(run: Run) -> Recorder:
    """The one that `watch` started."""
    return next(recorder for recorder in taps.recorders if recorder.run is run)


def measure(name: str, repeats: int, quiet: Quiet | None) -> dict[str, Any]:
    """Time one work in this process."""
    work = WORKS[name]
    plain, watched = Stream(work), Stream(work)
    for stream in (plain, watched):  # what the libraries prepare at their first use is no step's
        stream.block(1, counts=False)
    run = fl.watch(watched.model, watched.optimizer)
    recorder = recorder_of(run)
    taps.remove(recorder)
    run.rest()

    first_steps: dict[Stream, list[float]] = {plain: [], watched: []}  # of a stretch, in seconds

    def stretch(stream: Stream, blocks: int) -> None:
        if stream is plain or stream.wall:  # else it begins, and that counts
            began = time.perf_counter()
            stream.block(1, counts=False)
            first_steps[stream].append(time.perf_counter() - began)
        for _block in range(blocks):
            stream.block(work.block)

    def watch_blocks(blocks: int) -> None:
        taps.add(recorder)
        stretch(watched, blocks)  # its first step says that the run goes on
        taps.remove(recorder)
        run.rest()

    def repeat() -> Turn:
        plain.block(work.block, counts=False)
        for _round in range(ROUNDS):
            stretch(plain, 1)
            watch_blocks(2)
            stretch(plain, 1)
        return Turn(sum(plain.wall[-2 * ROUNDS :]) + sum(watched.wall[-2 * ROUNDS :]))

    repeated = 0
    for _number in range(repeats):
        counted = len(plain.wall)
        if quiet is None:
            repeat()
            continue
        _turn, again = quiet.guard(repeat, name)
        repeated += again
        for times in (plain.wall, plain.processor, watched.wall, watched.processor):
            del times[counted : -2 * ROUNDS]  # what did not count has trained both copies all the same
    taps.add(recorder)
    watched.block(len(plain.losses) - len(watched.losses), counts=False)  # as many steps as the plain one
    run.finish()
    pairs = [(sum(plain.wall[at : at + 2]), sum(watched.wall[at : at + 2])) for at in range(0, len(plain.wall), 2)]
    ratios = [b / a for a, b in pairs]
    looks = [fact.data for fact in run.facts("graph")]
    weights = zip(plain.model.state_dict().values(), watched.model.state_dict().values(), strict=True)
    same = torch.equal(torch.stack(plain.losses), torch.stack(watched.losses)) and all(
        torch.equal(a, b) for a, b in weights
    )
    return {
        "work": name,
        "steps": len(watched.losses),
        "step_ms": 1000 * sum(plain.wall) / len(plain.wall) / work.block,
        "watched_step_ms": 1000 * sum(watched.wall) / len(watched.wall) / work.block,
        "overhead": sum(watched.wall) / sum(plain.wall) - 1,
        "overhead_later": sum(watched.wall[2 * ROUNDS :]) / sum(plain.wall[2 * ROUNDS :]) - 1 if repeats > 1 else None,
        "watched_s": sum(watched.wall),
        "error": statistics.stdev(ratios) / len(ratios) ** 0.5,
        "overhead_of_rounds": [ratio - 1 for ratio in ratios],
        "noise": sum(plain.wall[1::2]) / sum(plain.wall[::2]) - 1,
        "processor_overhead": sum(watched.processor) / sum(plain.processor) - 1,
        "overhead_by_the_run": run.info.get("overhead"),
        "go_on_ms": 1000 * (statistics.median(first_steps[watched]) - statistics.median(first_steps[plain])),
        "looks": len(looks),
        "looks_s": sum(look.get("seconds", 0.0) for look in looks),
        "bit_identical": same,
        "threads": torch.get_num_threads(),
        "repeated": repeated,
    }


def compared(names: list[str], repeats: int = REPEATS, threads: int = 1) -> list[dict[str, Any]]:
    """Each work in a process of its own, whose standard error is a file.

    Raises:
        TooNoisy: Something else used the machine, again and again.
        ContenderFailed: One ended with an error.
    """
    found = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            env = {"FIRSTLIGHT_RUNS": folder, "FIRSTLIGHT_VIEW": "", "FIRSTLIGHT_LANG": "en"}
            env["OMP_NUM_THREADS"] = str(threads)
            turn = program("-m", "benchmarks.watch_overhead", "--here", name, "--repeats", str(repeats), env=env)()
        assert isinstance(turn, Turn)
        if "refused" in turn.facts:
            raise TooNoisy(turn.facts["refused"])
        found.append(turn.facts)
    return found


def lines(found: list[dict[str, Any]]) -> list[str]:
    """What is printed: two lines for each work."""
    said = []
    for one in found:
        rounds = one["overhead_of_rounds"]
        same = "the same bits" if one["bit_identical"] else "OTHER BITS"
        said += [
            f"{one['work']:11} {one['step_ms']:8.3f} -> {one['watched_step_ms']:8.3f} ms a step: "
            f"{one['overhead']:+6.2%} +- {one['error']:.2%} ({len(rounds)} rounds, median "
            f"{statistics.median(rounds):+.2%}, plain against plain {one['noise']:+.2%}); {same}",
            f"{'':11} after the first repeat {one['overhead_later'] or math.nan:+.2%}; processor "
            f"{one['processor_overhead']:+.2%}; by itself {one['overhead_by_the_run'] or 0:.2%}; "
            f"{one['go_on_ms']:.1f} ms to go on; {one['looks']} looks, {one['looks_s']:.3f} s, in {one['steps']} "
            f"steps, {one['watched_s']:.0f} s timed",
        ]
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", choices=[*WORKS, []], help="all by default")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="measure one work in this very process; prints JSON")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.here:
        try:
            found = measure(options.works[0], options.repeats, Quiet(slower=SLOWER, tries=5))
        except TooNoisy as noise:
            report(0.0, refused=str(noise))
            return
        report(found["step_ms"] / 1000, **found)
        return
    try:
        table = compared(options.works or list(WORKS), options.repeats, options.threads)
    except TooNoisy as noise:
        sys.exit(f"refused, this machine is too noisy: {noise}")
    if options.json:
        print(json.dumps(table, indent=1))
        return
    print(machine_line(), f"{table[0]['threads']} threads, {options.repeats} repeats", sep=", ")
    print("\n".join(lines(table)))
    print(f"median {statistics.median(one['overhead'] for one in table):+.2%}")


if __name__ == "__main__":
    main()
