"""Training beside one busy process: `python -m benchmarks.ours.beside_busy fit|fit-defaults|loop-defaults|loop-lab`.

The neighbour is a Python that counts for ever, on whichever core the system gives it. With `-defaults` torch keeps
the threads that it starts with; `loop-lab` runs the loop of `loop-defaults` in the kernel of a real `firstlight lab`.
Each trains the tutorial's network for the same time, because a system's scheduler treats a process otherwise in its
first seconds than later. Reported is the time per step, until a better number of threads was found included.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import cifar
from benchmarks.harness import report

SPAN_S = 8.0
LOOP = """
import time
import torch
import firstlight as fl
from torch import nn

train, test = fl.load("cifar10", progress=False)
model = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
steps, begun = 0, time.perf_counter()
while time.perf_counter() - begun < SPAN_S:
    for images, labels in train.batches(128, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        steps += 1
        if time.perf_counter() - begun > SPAN_S:
            break
seconds = time.perf_counter() - begun
""".replace("SPAN_S", str(SPAN_S))


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    # In a session of its own, as a browser is: Linux shares the cores out among sessions, not among processes.
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()  # only then does the system count its time as ours


def fit(defaults: bool) -> dict[str, float]:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    import firstlight as fl
    from benchmarks.ours import same

    train, _test = same.cifar10()
    threads = same.torch.get_num_threads() if defaults else "auto"
    steps: dict[int, int] = {}  # of each optimizer: fit may try a few steps with copies first
    last = 0

    def count(optimizer: Any, *_words: Any) -> None:
        nonlocal last
        last = id(optimizer)
        steps[last] = steps.get(last, 0) + 1
        if time.perf_counter() - begun > SPAN_S:
            raise KeyboardInterrupt  # the stop that a learner gives: fit ends between two steps

    hook = register_optimizer_step_post_hook(count)
    try:
        with neighbour():
            begun = time.perf_counter()
            fl.fit(same.lenet(), train, epochs=100, batch_size=128, validation=0, threads=threads)
            return {"seconds": time.perf_counter() - begun, "steps": steps[last]}
    finally:
        hook.remove()


def loop() -> dict[str, float]:
    import torch._dynamo  # noqa: F401  as in the other programs, not on the clock

    found: dict[str, Any] = {}
    program = compile(LOOP, "loop", "exec")
    with neighbour():
        exec(program, found)
    return {"seconds": found["seconds"], "steps": found["steps"]}


def loop_in_lab() -> dict[str, float]:
    """The cell runs in a kernel that a real lab has started, over the web socket that a page would use."""
    from firstlight.lab.selftest import selftest

    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        tell = (
            "import json, pathlib\n"
            f"pathlib.Path({str(told)!r}).write_text(json.dumps({{'seconds': seconds, 'steps': steps}}))"
        )
        notebook = Path(folder) / "loop.ipynb"
        notebook.write_text(json.dumps(_notebook([LOOP, tell])), encoding="utf-8")
        with neighbour():
            said = selftest(notebook=notebook, accuracy=0.0)
        if not told.exists():
            sys.exit("; ".join(said.problems))
        found: dict[str, float] = json.loads(told.read_text(encoding="utf-8"))
        return found


def _notebook(cells: list[str]) -> dict[str, Any]:
    rest: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [{**rest, "id": f"cell{number}", "source": source} for number, source in enumerate(cells)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def main() -> None:
    way = sys.argv[1]
    cifar.prepare()
    ways = {"fit": partial(fit, False), "fit-defaults": partial(fit, True), "loop-lab": loop_in_lab}
    found = ways.get(way, loop)()
    report(found["seconds"], steps=found["steps"], step_ms=1000 * found["seconds"] / found["steps"])


if __name__ == "__main__":
    main()
