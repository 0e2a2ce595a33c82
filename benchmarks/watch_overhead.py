"""What the recorder costs: the same training steps with and without it, interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.watch_overhead [--repeats 10] [--json]

Each repeat times, for one program, blocks of steps in the order without, with, with, without, so that a machine that
gets faster or slower in between does so for both. Printed are the medians over the repeats, the ratio of wall time and
of processor time (the record's writer thread included), and the share that the recorder measured of itself. The blocks
share one process and one warm model, which contenders of the harness would not; it guards the machine before and after.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.harness import Quiet, TooNoisy, machine_line
from firstlight.run import Recorder, Run


def mlp() -> tuple[nn.Module, torch.Tensor, torch.Tensor, int]:
    """About 1 ms a step."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    return model, torch.randn(128, 1, 28, 28), torch.randint(10, (128,)), 1500


def lenet() -> tuple[nn.Module, torch.Tensor, torch.Tensor, int]:
    """The lesson's small CNN."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
    return model, torch.randn(128, 1, 28, 28), torch.randint(10, (128,)), 150


def steps(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, n: int
) -> None:
    for _ in range(n):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(make: Callable[[], tuple[nn.Module, torch.Tensor, torch.Tensor, int]], repeats: int) -> dict[str, float]:
    torch.manual_seed(0)
    model, images, labels, n = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def work() -> None:
        steps(model, optimizer, images, labels, n)

    work()  # warm
    plain, watched, ratios, cpu_ratios, shares = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            run = Run.start("overhead", folder=folder)
            recorder = Recorder(run, model, optimizer)
            a = timed(work)
            with recorder:
                b = timed(work)
                c = timed(work)
            d = timed(work)
            run.finish()
            plain.append((a[0] + d[0]) / 2 / n)
            watched.append((b[0] + c[0]) / 2 / n)
            ratios.append((b[0] + c[0]) / (a[0] + d[0]))
            cpu_ratios.append((b[1] + c[1]) / (a[1] + d[1]))
            shares.append(recorder.overhead)
    return {
        "steps": 4 * n * repeats,
        "step_ms": 1000 * statistics.median(plain),
        "watched_step_ms": 1000 * statistics.median(watched),
        "wall_ratio": statistics.median(ratios),
        "wall_ratio_low": min(ratios),
        "wall_ratio_high": max(ratios),
        "processor_ratio": statistics.median(cpu_ratios),
        "own_share": statistics.median(shares),
        "accuracy_points_share": len(run.metric("train/accuracy")) / (2 * n),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet = Quiet()
    try:
        quiet.require()
        found = {make.__name__: measure(make, options.repeats) for make in (mlp, lenet)}
        quiet.require()
    except TooNoisy as noise:
        sys.exit(f"refused, this machine is too noisy: {noise}")
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{machine_line()}, {torch.get_num_threads()} thread(s), {options.repeats} repeats")
    for name, row in found.items():
        print(
            f"{name:6} {row['step_ms']:.3f} ms -> {row['watched_step_ms']:.3f} ms a step; "
            f"wall x{row['wall_ratio']:.3f} "
            f"({row['wall_ratio_low']:.3f} to {row['wall_ratio_high']:.3f}); processor x{row['processor_ratio']:.3f}; "
            f"measured by itself {row['own_share']:.1%}; accuracy at {row['accuracy_points_share']:.0%} of steps"
        )


if __name__ == "__main__":
    main()
