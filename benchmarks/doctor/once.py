"""Runs one program in this process, plain or under the doctor, and says what became of it.

    python -m benchmarks.doctor.once plain|doctor FILE     # as JSON

Both ways load the same modules first, so that their seconds compare. Standard output of the program is kept apart.
`forked` does it in a copy of a process that has loaded them, which is what hundreds of programs take the time for.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import re
import runpy
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from firstlight.doctor import witness as listening
from firstlight.doctor.examining import examined
from firstlight.doctor.observers import all_observers
from firstlight.doctor.rules import all_rules
from firstlight.graph.source import set_apart
from firstlight.run import Run

set_apart(*map(str, Path(__file__).parent.glob("*.py")))

_TIMES = re.compile(r"[\d.,]+(?= ?(?:s|ms|us|seconds|microseconds|samples/s|steps/s|it/s)\b)")  # differ by themselves


def digest(space: dict[str, Any]) -> str:
    """Of the random numbers to come, and of all tensors and models that the program has left in its namespace."""
    found = hashlib.sha256(torch.get_rng_state().numpy().tobytes())
    for name, value in sorted(space.items()):
        tensors = list(value.state_dict().values()) if isinstance(value, nn.Module) else [value]
        for tensor in tensors:
            if isinstance(tensor, Tensor) and tensor.device.type == "cpu" and tensor.layout == torch.strided:
                found.update(name.encode())
                found.update(tensor.detach().float().contiguous().numpy().tobytes())
    return found.hexdigest()


def prepare() -> None:
    """Load what both ways need."""
    all_rules()
    all_observers()
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)  # the first optimizer loads much


def forked(mode: str, file: Path, longest_s: float) -> dict[str, Any]:
    """Run a program in a copy of this process, which has prepared itself."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(ours)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            os.setsid()
            with os.fdopen(theirs, "w") as out:
                json.dump(once(mode, str(file)), out)
        finally:
            os._exit(0)  # threads and handlers that the program left are not waited for
    os.close(theirs)
    said, deadline = b"", time.monotonic() + longest_s
    with os.fdopen(ours, "rb") as source:
        while select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(source.fileno(), 1 << 20)
            if not part:
                break
            said += part
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if time.monotonic() >= deadline:
        return {"how": "timeout", "error": f"more than {longest_s} s", "seconds": longest_s}
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"how": "lost", "error": "ended without a word", "seconds": 0.0}
    return found


def once(mode: str, file: str) -> dict[str, Any]:
    """Run a program here."""
    sys.argv = [file]
    sys.path[0] = str(Path(file).resolve().parent)
    rules = all_rules()
    for seed in (torch.manual_seed, random.seed, numpy.random.seed):
        seed(0)  # of programs that set none: two runs of those differ by themselves
    witness = listening.attend() if mode == "doctor" else None
    output = io.StringIO()
    space: dict[str, Any] = {}
    how, error = "finished", ""
    began = time.perf_counter()
    with contextlib.redirect_stdout(output):
        try:
            space = run_notebook(Path(file)) if file.endswith(".ipynb") else runpy.run_path(file, run_name="__main__")
        except SystemExit:
            how = "exit"
        except Exception as problem:  # noqa: BLE001 - whatever ends the program is told
            how, error = type(problem).__name__, "".join(traceback.format_exception_only(problem)).strip()
            if witness is not None:
                witness.failed(problem)
    seconds = time.perf_counter() - began
    said = output.getvalue()
    done: dict[str, Any] = {
        "how": how,
        "error": error,
        "seconds": seconds,
        "output": hashlib.sha256(_TIMES.sub("", said).encode()).hexdigest(),
        "digest": digest(space) if how == "finished" else "",
        "result": [float(line.split()[-1]) for line in said.splitlines() if line.startswith("result:")][-1:],
    }
    if witness is not None:
        own = witness.own_s
        witness.probe()
        run = witness.tell(Run())
        witness.leave()
        after = time.perf_counter()
        report = examined(run, rules)
        done |= {
            "report": report.as_json(),
            "own_s": own,
            "steps": max(witness.backwards, witness.steps),
            "lost": witness.lost,
            "examined_s": time.perf_counter() - after,
            "probed_s": after - began - seconds,
        }
    return done


def run_notebook(path: Path) -> dict[str, Any]:
    from firstlight.doctor.child import run_notebook as run

    return run(path)


if __name__ == "__main__":
    prepare()
    sys.stdout.write(json.dumps(once(sys.argv[1], sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)
