"""Loading and batching: cached CIFAR-10, the embedded data, and whole-batch slices beside a plain DataLoader.

    .venv/bin/python -m benchmarks.data

CIFAR-10 is measured where `../shared/data/cifar10.py` lays it out, or where it was loaded before. Medians of several
runs; the two ways of batching are interleaved, so that a busy moment meets both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

import firstlight as fl

CIFAR = Path(__file__).parents[2] / "shared" / "data" / "cifar10.py"
LOAD_S = """
import time, firstlight as fl
fl.Dataset  # torch is loaded before the clock starts
begun = time.perf_counter()
fl.load("cifar10", progress=False)
print(time.perf_counter() - begun)
"""


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} processors")
    print(f"load fashion_mnist_small: {median_s(lambda: fl.load('fashion_mnist_small')):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        if CIFAR.exists():
            subprocess.run([sys.executable, CIFAR, folder], check=True, stdout=subprocess.DEVNULL)
            os.environ["FIRSTLIGHT_DATA"] = folder
        else:
            print("cifar10: not measured, there is no ../shared/data/cifar10.py beside this clone")
            return
        begun = time.perf_counter()
        train, _ = fl.load("cifar10", progress=False)
        print(f"load cifar10, first time (decode and cache): {time.perf_counter() - begun:.2f} s")
        fresh = [float(subprocess.check_output([sys.executable, "-c", LOAD_S], text=True)) for _ in range(5)]
        print(f"load cifar10, cached, in a fresh process: {statistics.median(fresh):.4f} s (bar: 0.5 s)")
        compare_batches(train)
        del train
    if statistics.median(fresh) >= 0.5:
        sys.exit("loading cached CIFAR-10 takes 0.5 s or more")


def compare_batches(train: fl.Dataset) -> None:
    """One shuffled epoch, batches of 128: ours beside a DataLoader over the same prepared tensors."""
    part = train.subset(range(20_000))
    tensors = TensorDataset(part.preprocess(part.inputs), part.labels)
    ways: dict[str, Callable[[], object]] = {
        "train.batches": lambda: sum(len(y) for _, y in part.batches(128, shuffle=True)),
        "DataLoader": lambda: sum(len(y) for _, y in DataLoader(tensors, 128, shuffle=True)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(7):
        for name, epoch in ways.items():
            begun = time.perf_counter()
            epoch()
            times[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, seconds in medians.items():
        spread = (max(times[name]) - min(times[name])) / seconds
        print(f"{name}: {len(part) / seconds:,.0f} samples/s (median of 7, spread {spread:.0%})")
    print(f"ratio: {medians['DataLoader'] / medians['train.batches']:.1f}x")


def median_s(work: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
