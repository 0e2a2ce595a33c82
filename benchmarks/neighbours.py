"""Steps beside busy neighbours: the threads that firstlight chooses, against each fixed number of threads.

    python -m benchmarks.neighbours [--only lenet mlp resnet kernel] [--seconds 1.5] [--rounds 3] [--json]

For each model and neighbour the contenders take turns of some seconds: every fixed number of threads (1, 2, 4, ... and
torch's own), and `firstlight.train.threads.Threads`, which begins anew in each turn. `comes and goes` is one turn in
which the neighbour is there in every second quarter; its best fixed choice is the better one over the whole turn.
`kernel` is a plain loop in a notebook's kernel, warmed as the lab warms it, against kernels whose first cell sets the
threads. Printed are medians over the rounds of milliseconds a step, the mean over the turn, as stalls are what it is
about. `of best` is the time with firstlight's choice divided by that of the best fixed number; `torch` divides torch's
own number by firstlight's.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.train.threads import Threads

NEIGHBOURS = {
    "quiet": "",
    "counting": "while True: pass",
    "polite": "import os, torch\nos.nice(19)\na = torch.rand(600, 600)\nwhile True: a @ a",  # of lowest priority
    "products": "import numpy\na = numpy.random.rand(600, 600)\nwhile True: a @ a",  # with threads of its own
}
SMALLEST_TURN = 3  # steps


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norm, self.last_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        inner = self.norm(self.first(images)).relu()
        out: Tensor = (images + self.last_norm(self.second(inner))).relu()
        return out


def lenet() -> tuple[nn.Module, Tensor]:
    """The CIFAR-10 tutorial's."""
    features = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, *head), torch.randn(128, 3, 32, 32)


def mlp() -> tuple[nn.Module, Tensor]:
    """The first lesson's."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), torch.randn(128, 784)


def resnet() -> tuple[nn.Module, Tensor]:
    """A small one, channels last."""
    layers = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), Residual(32), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1)]
    head = [Residual(64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    last = torch.channels_last
    model = nn.Sequential(*layers, *head).to(memory_format=last)
    return model, torch.randn(64, 3, 32, 32).contiguous(memory_format=last)


MODELS = {make.__name__: make for make in (lenet, mlp, resnet)}


def stepper(name: str) -> Callable[[], None]:
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    labels = torch.randint(10, (len(inputs),))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return step


@contextlib.contextmanager
def neighbour(name: str) -> Iterator[None]:
    if not NEIGHBOURS[name]:
        yield
        return
    # In a session of its own, as a browser is: Linux shares the cores out among sessions, not among processes.
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOURS[name]], start_new_session=True)
    try:
        time.sleep(1.0 if "import" in NEIGHBOURS[name] else 0.2)
        yield
    finally:
        process.kill()
        process.wait()


def turn(step: Callable[[], None], wanted: int | str, seconds: float, *, comes_and_goes: bool = False) -> float:
    """Milliseconds a step, the mean of one turn."""
    with contextlib.ExitStack() as stack, Threads(wanted) as threads:
        step()
        began, steps, quarter = time.perf_counter(), 0, 0
        while (now := time.perf_counter()) < began + seconds or steps < SMALLEST_TURN:
            if comes_and_goes and int(4 * (now - began) / seconds) != quarter:
                quarter += 1
                if quarter % 2:
                    stack.enter_context(neighbour("counting"))
                else:
                    stack.close()
            step()
            threads.tick()
            steps += 1
        return 1000 * (time.perf_counter() - began) / steps


def fixed_choices() -> list[int]:
    own = torch.get_num_threads()
    return sorted({2**power for power in range(own.bit_length()) if 2**power < own} | {own})


def in_one_process(name: str, seconds: float, rounds: int) -> list[dict[str, Any]]:
    step = stepper(name)
    for _step in range(5):
        step()
    rows = []
    for beside in [*NEIGHBOURS, "comes and goes"]:
        moving = beside == "comes and goes"
        ways: list[int | str] = [*fixed_choices(), "auto"]
        found: dict[int | str, list[float]] = {way: [] for way in ways}
        with neighbour("quiet" if moving else beside):
            for number in range(rounds):
                for way in ways if number % 2 == 0 else reversed(ways):
                    found[way].append(turn(step, way, seconds * (3 if moving else 1), comes_and_goes=moving))
        rows.append(row(name, beside, {str(way): statistics.median(times) for way, times in found.items()}))
    return rows


def row(work: str, beside: str, ms: dict[str, float]) -> dict[str, Any]:
    fixed = {way: time_ms for way, time_ms in ms.items() if way != "auto"}
    return {
        "work": work,
        "beside": beside,
        "step_ms": ms,
        "of_best": ms["auto"] / min(fixed.values()),
        "torch": fixed[str(torch.get_num_threads())] / ms["auto"],
    }


CELL = """
import json as _json, time as _time
from benchmarks.neighbours import stepper as _stepper
_step, _n = _stepper("lenet"), 0
_step()
_began = _time.perf_counter()
while _time.perf_counter() < _began + {seconds}:
    _step()
    _n += 1
print("MS", 1000 * (_time.perf_counter() - _began) / _n)
"""


def in_kernels(seconds: float, rounds: int) -> list[dict[str, Any]]:
    """The same step in a plain loop of a cell."""
    from jupyter_client.manager import start_new_kernel

    ways: list[int | str] = [*fixed_choices(), "auto"]
    kernels: dict[int | str, Any] = {}
    rows = []

    def say(way: int | str, code: str) -> str:
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = kernels[way][1].execute_interactive(code, output_hook=hear, timeout=120)
        if reply["content"]["status"] != "ok":
            sys.exit("\n".join(reply["content"]["traceback"]))
        return "".join(said)

    try:
        for way in ways:
            kernels[way] = start_new_kernel(kernel_name="python3", env=dict(os.environ))
            fixed = f"import torch; torch.set_num_threads({way})"
            first = "from firstlight.lab import warm; warm.start().join()" if way == "auto" else fixed
            say(way, f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); {first}")
        for beside in NEIGHBOURS:
            found: dict[int | str, list[float]] = {way: [] for way in ways}
            with neighbour(beside):
                for _round in range(rounds):
                    for way in ways:
                        words = say(way, CELL.format(seconds=seconds)).split()
                        found[way].append(float(words[words.index("MS") + 1]))
            rows.append(row("kernel", beside, {str(way): statistics.median(times) for way, times in found.items()}))
    finally:
        for manager, client in kernels.values():
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return rows


def tick_cost() -> float:
    """Seconds of one `tick`, looks at the machine included."""
    with Threads() as threads:
        steps, began = 100_000, time.perf_counter()
        for _step in range(steps):
            threads.tick()
        return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*MODELS, "kernel"], default=[*MODELS, "kernel"])
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        threads = torch.get_num_threads()
        print(f"torch {torch.__version__}, {threads} threads by default; a tick {1e6 * tick_cost():.1f} µs")
    rows: list[dict[str, Any]] = []
    for name in options.only:
        work = in_kernels if name == "kernel" else lambda *words, name=name: in_one_process(name, *words)
        for found in work(options.seconds, options.rounds):
            rows.append(found)
            if not options.json:
                times = ", ".join(f"{way}: {time_ms:.2f}" for way, time_ms in found["step_ms"].items())
                ratios = f"of best {found['of_best']:.2f}, torch {found['torch']:.2f}"
                print(f"{found['work']:7} {found['beside']:14} ms a step: {times}; {ratios}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
