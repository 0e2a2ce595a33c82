"""What checkpoints cost at their defaults, and how soon a training that was killed goes on.

    python -m benchmarks.reliability.checkpoint_cost [--seconds 40] [--repeats 5]

Cost: a small convolutional network (and a wide one, whose state is fifty times as large) learns with checkpoints as
they are by default, in blocks of half a second; in every other one those that are due have to wait. Printed is how much
longer the steps of the blocks with checkpoints took, and what the keeper itself has measured, the processor time of the
thread that writes included: both as shares of all the time, by which the keeper paces itself. What is still being
written when a block without checkpoints begins counts there; that is seldom, as one is mostly due when its block
begins. (Two copies, one of which makes none, do not compare: where their weights lie in memory alone makes them differ
by up to two percent.)

Going on: a process trains the small network and is killed after its first checkpoint. The time from the start of the
next one to its first new step is held against the time that starting Python, importing torch and firstlight and loading
the data take: in turns, medians.
"""

import argparse
import contextlib
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

import firstlight as fl
from benchmarks.harness import machine_line
from firstlight.run import Run

COST_BAR, GOING_ON_BAR_S = 0.01, 5.0
_BLOCK_S = 0.5

PROGRAM = """
import os, sys, time, torch, firstlight as fl
from torch import nn
train, test = fl.load("fashion_mnist_small")
model = nn.Sequential(
    nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(800, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
print("READY", time.time(), flush=True)
if sys.argv[1] == "import":
    os._exit(0)
from firstlight.run import Checkpoints
run = fl.watch(model, optimizer, resume=True, checkpoint=Checkpoints(seconds=0.2))
print("FROM", run.steps, flush=True)
for epoch in run.epochs(1000):
    for images, labels in run.batches(train, 128, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        print("STEP", time.time(), flush=True)
"""


class Copy:
    """A network that learns and makes checkpoints, but for the blocks in which it is told not to."""

    def __init__(self, make: Any, data: fl.Dataset) -> None:
        torch.manual_seed(0)
        self.model = make()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.data = data
        self.spent_s, self.steps = {False: 0.0, True: 0.0}, {False: 0, True: 0}
        with contextlib.redirect_stderr(io.StringIO()):
            self.run: Run = fl.watch(self.model, self.optimizer, checkpoint=True, looks=False)
        assert self.run.course is not None
        assert self.run.course.keeper is not None
        self.keeper = self.run.course.keeper
        self.batches = self._endless()

    def _endless(self) -> Any:
        while True:
            yield from self.run.batches(self.data, 128, shuffle=True)

    def block(self, checkpoints: bool) -> None:
        """Train for half a second; a checkpoint that is due waits for a block with checkpoints."""
        with contextlib.nullcontext() if checkpoints else mock.patch.object(self.keeper, "due", return_value=False):
            began = time.perf_counter()
            while time.perf_counter() - began < _BLOCK_S:
                images, labels = next(self.batches)
                self.optimizer.zero_grad()
                nn.functional.cross_entropy(self.model(images), labels).backward()
                self.optimizer.step()
                self.steps[checkpoints] += 1
            self.spent_s[checkpoints] += time.perf_counter() - began


def small() -> nn.Module:
    """15,000 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 10),
    )  # fmt: skip


def wide() -> nn.Module:
    """1.9 million weights: 23 MB with AdamW's state."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )


def cost(make: Any, data: fl.Dataset, seconds: float) -> tuple[float, float, int]:
    """The share of time that checkpoints add, the share that the keeper measured, and how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FIRSTLIGHT_RUNS"] = folder
        copy = Copy(make, data)
        copy.block(checkpoints=True)
        copy.spent_s, copy.steps = {False: 0.0, True: 0.0}, {False: 0, True: 0}
        seen: set[str] = set()
        began, before = time.perf_counter(), copy.keeper.cost_s
        while time.perf_counter() - began < seconds:
            for checkpoints in (False, True, True, False):
                copy.block(checkpoints)
            seen |= {path.name for path in Path(folder).rglob("step-*.safetensors")}
        whole = time.perf_counter() - began
        longer = copy.spent_s[True] - copy.steps[True] * copy.spent_s[False] / copy.steps[False]
        account = copy.keeper.cost_s - before
        copy.batches.close()
        copy.run.finish()
    return longer / whole, account / whole, len(seen)


def going_on(repeats: int) -> tuple[float, float]:
    """Seconds from the start of Python to the network that is there, and from there to the first new step."""
    imports, steps = [], []
    for _repeat in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"FIRSTLIGHT_RUNS": folder, "OMP_NUM_THREADS": "1"}

            def start(word: str, environment: dict[str, str] = environment) -> "subprocess.Popen[str]":
                return subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, word], env=environment, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )  # fmt: skip

            def first(process: "subprocess.Popen[str]", word: str) -> str:
                assert process.stdout is not None
                return next(line for line in process.stdout if line.startswith(word)).split()[1]

            began = time.time()
            with start("import") as process:
                imports.append(float(first(process, "READY")) - began)
            with start("train") as process:
                first(process, "STEP")
                while not any(Path(folder).rglob("step-*.safetensors")):
                    time.sleep(0.05)
                process.send_signal(signal.SIGKILL)
            began = time.time()
            with start("train") as process:
                if first(process, "FROM") == "0":
                    raise RuntimeError("it did not go on")
                steps.append(float(first(process, "STEP")) - began)
                process.kill()
    return statistics.median(imports), statistics.median(steps)


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--repeats", type=int, default=5)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    print(machine_line())
    data, _test = fl.load("fashion_mnist_small")
    failed = False
    for name, make in (("small CNN", small), ("wide MLP", wide)):
        added, measured, made = cost(make, data, wanted.seconds)
        account = f"{measured:.2%} by their own account (bar {COST_BAR:.0%})"
        print(f"{name}: {added:+.2%} longer, {made} checkpoints, {account}")
        failed |= measured >= COST_BAR
    python_s, all_s = going_on(wanted.repeats)
    beyond = all_s - python_s
    account = f"{beyond:.1f} s of them beyond starting Python (bar {GOING_ON_BAR_S:.0f})"
    print(f"killed, to the first new step: {all_s:.1f} s, {account}")
    return 1 if failed or beyond >= GOING_ON_BAR_S else 0


if __name__ == "__main__":
    sys.exit(main())
