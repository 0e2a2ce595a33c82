"""Runs one program in this process, plain or under the doctor, and prints what became of it as JSON.

    python -m benchmarks.doctor.once plain|doctor FILE

Both ways load the same modules first, so that their seconds compare. Standard output of the program is kept apart.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import runpy
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
from firstlight.doctor.rules import all_rules
from firstlight.run import Run


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


def main() -> None:
    mode, file = sys.argv[1], sys.argv[2]
    sys.argv = [file]
    sys.path[0] = str(Path(file).resolve().parent)
    rules = all_rules()  # loaded in both ways
    for seed in (torch.manual_seed, random.seed, numpy.random.seed):
        seed(0)  # of programs that set none: two runs of those differ by themselves
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)  # the first optimizer loads much
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
        "output": hashlib.sha256(said.encode()).hexdigest(),
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
    sys.stdout.write(json.dumps(done))
    sys.stdout.flush()
    os._exit(0)  # threads and handlers that the program left are not waited for


def run_notebook(path: Path) -> dict[str, Any]:
    from firstlight.doctor.child import run_notebook as run

    return run(path)


if __name__ == "__main__":
    main()
