"""Loading and batching: cached CIFAR-10, the embedded data, and whole-batch slices beside a plain DataLoader.

    .venv/bin/python -m benchmarks.data

CIFAR-10 is measured where `../shared/data/cifar10.py` lays it out. The harness takes the medians, lets the two ways of
batching take turns, and refuses a noisy machine.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from torch.utils.data import DataLoader, TensorDataset

import firstlight as fl
from benchmarks.cifar import BESIDE
from benchmarks.harness import Quiet, compare, machine_line, program

LOAD_S = """
import json, time, firstlight as fl
fl.Dataset  # torch is loaded before the clock starts
begun = time.perf_counter()
fl.load("cifar10", progress=False)
print(json.dumps({"seconds": time.perf_counter() - begun}))
"""


def main() -> None:
    print(f"{machine_line()}, {torch.get_num_threads()} threads")
    print(f"load fashion_mnist_small: {median_s(load_small):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        if BESIDE.exists():
            subprocess.run([sys.executable, str(BESIDE), folder], check=True, stdout=subprocess.DEVNULL)
            os.environ["FIRSTLIGHT_DATA"] = folder
        else:
            print("cifar10: not measured, there is no ../shared/data/cifar10.py beside this clone")
            return
        begun = time.perf_counter()
        train, _ = fl.load("cifar10", progress=False)
        print(f"load cifar10, first time (decode and cache): {time.perf_counter() - begun:.2f} s")
        fresh = compare({"fresh": program("-c", LOAD_S)}, 5, quiet=Quiet()).median_s("fresh")
        print(f"load cifar10, cached, in a fresh process: {fresh:.4f} s (bar: 0.5 s)")
        compare_batches(train)
        del train
    if fresh >= 0.5:
        sys.exit("loading cached CIFAR-10 takes 0.5 s or more")


def load_small() -> None:
    fl.load("fashion_mnist_small")


def compare_batches(train: fl.Dataset) -> None:
    """One shuffled epoch, batches of 128: ours beside a DataLoader over the same prepared tensors."""
    part = train.subset(range(20_000))
    tensors = TensorDataset(part.preprocess(part.inputs), part.labels)

    def ours() -> None:
        sum(len(y) for _, y in part.batches(128, shuffle=True))

    def theirs() -> None:
        sum(len(y) for _, y in DataLoader(tensors, 128, shuffle=True))

    found = compare({"train.batches": ours, "DataLoader": theirs}, 7, quiet=Quiet())
    for name in found.turns:
        speed = len(part) / found.median_s(name)
        print(f"{name}: {speed:,.0f} samples/s (median of 7, spread {found.spread(name):.0%})")
    print(f"ratio: {found.ratio('DataLoader', 'train.batches')}")


def median_s(work: Callable[[], None]) -> float:
    return compare({"it": work}, 5, quiet=Quiet()).median_s("it")


if __name__ == "__main__":
    main()
