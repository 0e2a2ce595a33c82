"""SIGKILL at random moments of a training, which then goes on: does it end in the very same weights?

    python -m benchmarks.reliability.kills [--times 100] [--seed 0] [WAY ...]

Ways: `fit` (with augmentation), `loop` (a plain loop over `run.epochs` and `run.batches`, with dropout, BatchNorm, a
schedule and noise of its own) and `loader` (the same over a `DataLoader` with a generator). Each way is trained once
without interruption. Then, in turns, a new process trains the same and is killed at a moment drawn at random from the
time that training takes, each fourth time at the first sight of a checkpoint that is being written from that moment on;
another process goes on, and each third time is killed as well. Checkpoints follow each other without a pause, far more
densely than by default, so that kills meet them in all stages.

Held against the training that was not interrupted: the weights at the end, bit for bit, and the losses in the record.
And after each kill: whether the record can be read, whether its losses stand in order and are right, and how old the
first step was that the program had made and that lies behind the newest one in the record.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.run import Run, runs

WAYS = ("fit", "loop", "loader")
LOSS_BAR_S = 1.0
_PATIENCE_S = 120.0

PROGRAM = """
import hashlib, os, random, sys, time
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import firstlight as fl
from firstlight.run import Checkpoints
from firstlight.run.taps import register_optimizer_step_post_hook

way = sys.argv[1]
train, test = fl.load("fashion_mnist_small")
train, test = train.subset(range(2000)), test.subset(range(300))
torch.manual_seed(5); np.random.seed(3); random.seed(4)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1352, 10)
)
print("GO", time.time(), flush=True)
pace = Checkpoints(seconds=1e-6, steps=3)
steps = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # what the program knows that it has done
def made(*_): os.write(steps, f"{time.time()}\\n".encode())
register_optimizer_step_post_hook(made)
if way == "fit":
    run = fl.fit(model, train, test, epochs=5, batch_size=50, seed=1, augment="flip+shift", resume=True, device="cpu",
                 checkpoint=pace, threads=1, precision="float32", memory_format="contiguous", compile=False)
else:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=200)
    loader = DataLoader(TensorDataset(train[:][0], train.labels), 50, shuffle=True,
                        generator=torch.Generator().manual_seed(9))
    with fl.watch(model, optimizer, resume=True, checkpoint=pace) as run:
        for epoch in run.epochs(5):
            model.train()
            batches = run.batches(loader) if way == "loader" else run.batches(train, 50, shuffle=True, augment="flip")
            for images, labels in batches:
                images = images + 0.05 * random.random() * torch.from_numpy(np.random.rand(*images.shape)).float()
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
                schedule.step()
digest = hashlib.sha256()
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("END", time.time(), digest.hexdigest(), flush=True)
"""


@dataclass
class Result:
    """What was seen of one way."""

    same: int = 0
    readable: int = 0
    kills: int = 0
    writing: int = 0  # kills while a checkpoint was being written
    lost_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Training:
    """One process that trains."""

    def __init__(self, way: str, folder: Path) -> None:
        self.folder, self.log = folder, folder / "steps"
        self.log.unlink(missing_ok=True)
        environment = os.environ | {"FIRSTLIGHT_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, way, str(self.log)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def until(self, word: str) -> list[str]:
        """Read what it says up to a line; the words of that line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line.split()
        raise RuntimeError(self.process.communicate(timeout=_PATIENCE_S)[1])

    def end(self) -> tuple[float, str]:
        """When it ended, and the digest of its weights."""
        _word, when, digest = self.until("END")
        self.process.communicate(timeout=_PATIENCE_S)
        return float(when), digest

    def kill(self, after_s: float, *, writing: bool) -> bool | None:
        """SIGKILL after so many seconds, then at a checkpoint on its way to the disk if wanted: whether it was one.

        None where the training was over before.
        """
        time.sleep(after_s)
        met = False
        while writing and not met and self.process.poll() is None:
            met = any(self.folder.glob("runs/*/checkpoints/.*.part"))
        if self.process.poll() is not None:
            self.process.communicate()
            return None
        self.process.send_signal(signal.SIGKILL)
        self.killed = time.time()
        self.process.communicate(timeout=_PATIENCE_S)
        return met


def losses(run: Run) -> dict[int, float]:
    """The losses in the record, by step."""
    return {point.step: point.value for point in run.metric("train/loss")}


def agree(found: dict[int, float], expected: dict[int, float]) -> bool:
    """Whether the losses of all steps that both have are the same. Of very short steps, a record leaves some out."""
    return all(value == expected[step] for step, value in found.items() if step in expected)


def look(folder: Path, training: Training, expected: dict[int, float], result: Result) -> None:
    """After a kill: is the record whole, and how much is missing?"""
    listed = runs(folder / "runs")
    if not len(listed):  # killed before there was a record
        result.readable += 1
        return
    try:
        run = listed[0].open()
        found = losses(run)
        if run.status not in ("died", "finished") or not agree(found, expected) or list(found) != sorted(found):
            result.problems.append(f"record: {run.status}, {len(found)} losses, right {agree(found, expected)}")
            return
        made = [float(line) for line in training.log.read_text().split()] if training.log.exists() else []
        first = run.facts("resumed")[-1].step if run.facts("resumed") else 0
        missing = made[max(0, max(found, default=-1) + 1 - first) :]
        result.lost_s.append(training.killed - missing[0] if missing else 0.0)
        result.readable += 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is counted here
        result.problems.append(f"{error!r} {error}")


def once(way: str, span_s: float, digest: str, expected: dict[int, float], turn: int, result: Result) -> None:
    """One training, killed once or twice, that goes on to its end."""
    folder = Path(tempfile.mkdtemp(prefix="firstlight-kills-"))
    try:
        for number in range(2 if turn % 3 == 2 else 1):
            training = Training(way, folder)
            training.until("GO")
            met = training.kill(random.uniform(0.0, span_s), writing=turn % 4 == 3 and number == 0)
            if met is None:
                break
            result.kills += 1
            result.writing += met
            look(folder, training, expected, result)
        last = Training(way, folder)
        _when, found = last.end()
        run = runs(folder / "runs")[0].open()
        right = agree(losses(run), expected)
        if found == digest and right and run.status == "finished":
            result.same += 1
        else:
            result.problems.append(f"turn {turn}: same weights {found == digest}, right losses {right}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def whole(way: str) -> tuple[float, str, dict[int, float]]:
    """The training without an interruption: seconds, digest of its weights, losses."""
    folder = Path(tempfile.mkdtemp(prefix="firstlight-kills-"))
    try:
        training = Training(way, folder)
        began = float(training.until("GO")[1])
        ended, digest = training.end()
        return ended - began, digest, losses(runs(folder / "runs")[0].open())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(ways: list[str], times: int) -> dict[str, Result]:
    """Kill so many trainings, the ways in turns."""
    references = {way: whole(way) for way in ways}
    results = {way: Result() for way in ways}
    for turn in range(times):
        way = ways[turn % len(ways)]
        once(way, *references[way], turn // len(ways), results[way])
    return results


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", choices=[*WAYS, []], help="fit, loop, loader; all by default")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    random.seed(wanted.seed)
    results = measure(list(wanted.ways or WAYS), wanted.times)
    head = ("trainings", "same weights", "kills", "writing", "record whole", "lost at most")
    print(f"{'way':8}", *(f"{name:>12}" for name in head))
    for way, one in results.items():
        trainings = one.same + sum(problem.startswith("turn") for problem in one.problems)
        lost = f"{max(one.lost_s, default=0.0):.2f} s"
        numbers = (trainings, one.same, one.kills, one.writing, one.readable, lost)
        print(f"{way:8}", *(f"{number:>12}" for number in numbers))
        for problem in one.problems:
            print("  ", problem)
    print(f"bar: all weights the same, all records whole, at most {LOSS_BAR_S:.0f} s lost")
    failed = any(one.problems or max(one.lost_s, default=0.0) > LOSS_BAR_S for one in results.values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
