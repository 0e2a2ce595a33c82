"""Training beside one busy process: `python -m benchmarks.ours.beside_busy fit|fit-defaults|loop-defaults|loop-lab`.

The neighbour is a Python that counts for ever, on whichever core the system gives it. With `-defaults` torch keeps
the threads that it starts with; `loop-lab` runs the loop of `loop-defaults` in the kernel of a real `firstlight lab`.
Reported is the time per step over the whole run, until a better number of threads was found included.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cifar
from benchmarks.harness import report

STEPS = {"fit": 400, "fit-defaults": 60, "loop-lab": 400, "loop-defaults": 60}
LOOP = """
import time
import torch
import firstlight as fl
from torch import nn

train, test = fl.load("cifar10", progress=False)
train = train.subset(slice({pictures}))
model = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
begun = time.perf_counter()
for images, labels in train.batches(128, shuffle=True):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
seconds = time.perf_counter() - begun
"""


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()  # only then does the system count its time as ours


def fit(defaults: bool, steps: int) -> dict[str, float]:
    import firstlight as fl
    from benchmarks.ours import same

    train, _test = same.cifar10(128 * steps)
    threads = same.torch.get_num_threads() if defaults else "auto"
    with neighbour():
        begun = time.perf_counter()
        fl.fit(same.lenet(), train, epochs=1, batch_size=128, validation=0, threads=threads)
        return {"seconds": time.perf_counter() - begun}


def loop(steps: int) -> dict[str, float]:
    found: dict[str, float] = {}
    program = compile(LOOP.format(pictures=128 * steps), "loop", "exec")
    import torch._dynamo  # noqa: F401  as in the other programs, not on the clock

    with neighbour():
        exec(program, found)
    return {"seconds": found["seconds"]}


def loop_in_lab(steps: int) -> dict[str, float]:
    """The cell runs in a kernel that a real lab has started, over the web socket that a page would use."""
    from firstlight.lab.selftest import selftest

    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        tell = f"import json, pathlib\npathlib.Path({str(told)!r}).write_text(json.dumps({{'seconds': seconds}}))"
        cells = [LOOP.format(pictures=128 * steps), tell]
        notebook = Path(folder) / "loop.ipynb"
        notebook.write_text(json.dumps(_notebook(cells)), encoding="utf-8")
        with neighbour():
            said = selftest(notebook=notebook, accuracy=0.0)
        if not told.exists():
            sys.exit("; ".join(said.problems))
        found: dict[str, float] = json.loads(told.read_text())
        return found


def _notebook(cells: list[str]) -> dict[str, object]:
    rest = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [{**rest, "id": f"cell{number}", "source": source} for number, source in enumerate(cells)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def main() -> None:
    way = sys.argv[1]
    steps = STEPS[way]
    cifar.prepare()
    if way.startswith("fit"):
        found = fit(way == "fit-defaults", steps)
    else:
        found = loop_in_lab(steps) if way == "loop-lab" else loop(steps)
    report(found["seconds"], steps=steps, step_ms=1000 * found["seconds"] / steps)


if __name__ == "__main__":
    main()
