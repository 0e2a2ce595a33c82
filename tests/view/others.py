"""Trainings in processes of their own, for tests of what is seen of them from outside."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from firstlight.run import RecordDamaged, Run
from firstlight.run.store import FILE

TRAIN = """\
import sys, time
from firstlight.run import Run
name, steps, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with Run.start(name, plan={"total_steps": steps}) as run:
    for step in range(steps):
        run.log({"train/loss": 2 / (1 + step / 50), "train/accuracy": step / (step + 50), "lr": 0.1}, step=step)
        time.sleep(pause)
"""

WATCHED = """\
import os, time, torch
import firstlight as fl
torch.manual_seed(0)
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
model = torch.nn.Sequential(torch.nn.Linear(20, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
with fl.watch(model, optimizer, steps=STEPS, name="watched"):
    for step in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        time.sleep(0.01)
"""


@contextlib.contextmanager
def process(code: str, *words: str, first_step: bool = True) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a program that trains; give it, and the folder of its run. It is killed at the end."""
    runs = Path(os.environ["FIRSTLIGHT_RUNS"])
    before = set(runs.glob(f"*/{FILE}"))
    environment = {**os.environ, "FIRSTLIGHT_VIEW": "off", "OMP_NUM_THREADS": "1"}
    trains = subprocess.Popen([sys.executable, "-c", code, *words], env=environment)
    try:
        until = time.monotonic() + 40
        while not (found := set(runs.glob(f"*/{FILE}")) - before) or (first_step and not _has_step(found)):
            assert trains.poll() is None, "the training ended before it began"
            assert time.monotonic() < until
            time.sleep(0.05)
        yield trains, found.pop().parent
    finally:
        trains.kill()
        trains.wait()


def training(name: str = "net", *, steps: int = 100_000, pause_s: float = 0.01, first_step: bool = True):
    """A training of two curves, by hand: it needs no torch."""
    return process(TRAIN, name, str(steps), str(pause_s), first_step=first_step)


def watched(*, steps: int = 4000):
    """A plain PyTorch loop, watched."""
    return process(WATCHED.replace("STEPS", str(steps)))


def _has_step(found: set[Path]) -> bool:
    try:
        return Run.open(next(iter(found)).parent).steps > 0
    except RecordDamaged:  # it is being made
        return False
