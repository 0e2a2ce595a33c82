"""Steps with memory that stays with the process, against glibc's own way: `python -m benchmarks.pages [WORK ...]`.

Each turn is a plain loop in a process of its own: the tutorial's network, the ResNet-like net of `works.py`, and the
net of `fl.recipes.cifar10` in the way that its options name. Printed are milliseconds a step and pages that the system
had to hand out for it, medians of three turns each.
"""

import argparse
import resource
import statistics
import sys
import time
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from benchmarks.harness import Quiet, compare, machine_line, program, report

WORKS = ("lenet", "resnet", "recipe")
STEPS = {"lenet": 300, "resnet": 8, "recipe": 16}
WARM = 4


def parts(work: str) -> tuple[nn.Module, Tensor, torch.dtype]:
    """The model, a batch, and the precision of its forward pass."""
    import firstlight as fl
    from benchmarks.ours import same, works

    torch.manual_seed(0)
    if work == "lenet":
        return same.lenet(), torch.randn(128, 3, 32, 32), torch.float32
    train = same.cifar10(2_000)[0]
    if work == "recipe":
        return fl.recipes.cifar10(train).model, torch.randn(500, 3, 32, 32), torch.bfloat16
    return works.resnet()[0], torch.randn(128, 3, 32, 32), torch.bfloat16


def turn(work: str, kept: bool) -> None:
    from firstlight.train.malloc import kept_memory

    model, inputs, precision = parts(work)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (len(inputs),))
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.001)
    times: list[float] = []
    with kept_memory() if kept else nullcontext():
        for step in range(WARM + STEPS[work]):
            if step == WARM:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            begun = time.perf_counter()
            optimizer.zero_grad()
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                outputs = model(inputs)
            nn.functional.cross_entropy(outputs.float(), labels).backward()
            optimizer.step()
            times.append(time.perf_counter() - begun)
        pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    step_ms = 1000 * statistics.median(times[WARM:])
    report(sum(times[WARM:]), step_ms=step_ms, pages=pages / STEPS[work])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", choices=[*WORKS, []], default=[])
    parser.add_argument("--turn", choices=("kept", "usual"), help="one turn only, as the others start it")
    asked = parser.parse_args()
    if asked.turn:
        turn(asked.works[0], asked.turn == "kept")
        return
    print(machine_line())
    for work in asked.works or WORKS:
        ways = {way: program("-m", "benchmarks.pages", work, "--turn", way) for way in ("usual", "kept")}
        found = compare(ways, 3, quiet=Quiet())
        facts = ", ".join(
            f"{way} {found.fact(way, 'step_ms'):.1f} ms and {found.fact(way, 'pages'):,.0f} pages a step"
            for way in ways
        )
        print(f"{work}: {facts}; {found.ratio('usual', 'kept')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
