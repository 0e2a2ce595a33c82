"""A disk that becomes full at random moments of a training: what was saved before is still there, and it is said.

    python -m benchmarks.reliability.disk_full [--times 30] [--seed 0]

The folder of runs lies on a file system of its own in memory (tmpfs, 24 MiB; to mount one takes root on Linux). A
training makes checkpoints there without a pause. From a random moment on, another process takes all room that is left.
Counted is a training that ends as if nothing had happened, after which the newest checkpoint can be read and is not
older than the last one before, the record can be read and has all numbers that it had then, and one message said what
had happened and what to do, unless the checkpoints found room all the same. Then the room is given back, another
process goes on from that checkpoint, and ends in the same weights bit for bit.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from firstlight.run import runs
from firstlight.run.found import newest
from firstlight.run.listing import checkpoints_in

SIZE = "24m"
_PATIENCE_S = 120.0

PACE = 5  # steps between two checkpoints

PROGRAM = """
import hashlib, sys, torch, firstlight as fl
from torch import nn
from firstlight.run import Checkpoints
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(2000))
torch.manual_seed(5)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
pace = Checkpoints(seconds=1e-6, steps=PACE)
run = fl.watch(model, optimizer, name="full", resume=True, checkpoint=pace, looks=False)
print("GO", run.steps, flush=True)
for epoch in run.epochs(6):
    for images, labels in run.batches(train, 50, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        if sys.argv[1:] == ["leave"] and epoch == 5:
            import os
            run.course.keeper.close()
            print("LEFT", run.steps, flush=True)
            os._exit(0)
run.finish()
digest = hashlib.sha256()
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("END", digest.hexdigest(), flush=True)
"""


def can_mount() -> bool:
    """Whether a file system of a fixed size can be had here."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A folder on a file system of `SIZE`."""
    folder = Path(tempfile.mkdtemp(prefix="firstlight-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A process that trains, with its runs in the folder."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("PACE", str(PACE)), *arguments],
        env=os.environ | {"FIRSTLIGHT_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def fill(folder: Path) -> None:
    """Take all room that is left, down to the last byte."""
    with (folder / "somebody-elses").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\\0" * size)


def digest_of(process: "subprocess.Popen[str]") -> str:
    """What a training that goes to its end says of its weights."""
    output, errors = process.communicate(timeout=_PATIENCE_S)
    ends = [line.split()[1] for line in output.splitlines() if line.startswith("END")]
    if not ends:
        raise RuntimeError(errors)
    return ends[0]


def once(span_s: float, digest: str) -> str | None:
    """One training on a disk that fills up; what went wrong, None where nothing did."""
    with small_disk() as disk:
        training = start(disk, "leave")
        assert training.stdout is not None
        training.stdout.readline()
        time.sleep(random.uniform(0.1, span_s))
        left = runs(disk / "runs")
        before = checkpoints_in(left[0].folder) if len(left) else []
        while training.poll() is None:  # what checkpoints that go make free is taken too
            fill(disk)
            time.sleep(0.002)
        output, errors = training.communicate(timeout=_PATIENCE_S)
        if "LEFT" not in output:
            return f"the training ended: {errors[-300:]}"
        folder = runs(disk / "runs")[0].folder
        found = newest(folder) if before else None
        last = int(output.partition("LEFT")[2].split()[0])
        up_to_date = found is not None and found.step >= last - 2 * PACE  # it had found room for all of them
        if "FIRSTLIGHT_RUNS" not in errors and not up_to_date:
            return f"nothing was said: {errors[-300:]}"
        if found is not None and found.step < int(before[0][5:]):
            return f"older than before: {found.step}, {before}"
        numbers = sum(one["count"] for one in runs(disk / "runs")[0].open().summary().values())
        if found is not None and numbers < found.kept.points:
            return f"the record has {numbers} numbers, and had {found.kept.points}"
        (disk / "somebody-elses").unlink(missing_ok=True)  # a training that was quicker than we
        again = start(disk)
        said = digest_of(again)
        return None if said == digest else "other weights"


def measure(times: int) -> list[str]:
    """Fill the disk under so many trainings; what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        first = start(Path(folder))
        assert first.stdout is not None
        first.stdout.readline()
        began = time.time()
        digest = digest_of(first)
        span_s = (time.time() - began) * 0.7  # of six epochs, the program leaves in the last
    return [problem for _time in range(times) if (problem := once(span_s, digest)) is not None]


def main() -> int:
    """Print the count; 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    if not can_mount():
        print("no file system of a fixed size can be mounted here: this takes root on Linux")
        return 1
    random.seed(wanted.seed)
    problems = measure(wanted.times)
    right = wanted.times - len(problems)
    print(f"disk full at a random moment: {right} of {wanted.times} as they should be (bar: all)")
    for problem in problems:
        print("  ", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
