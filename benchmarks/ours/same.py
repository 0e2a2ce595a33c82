"""What every program here shares: the tutorial's network, CIFAR-10, and a place for what a run leaves behind."""

import os
import tempfile
from pathlib import Path

import torch._dynamo  # what torch loads with the first optimizer, a second or so, is loaded before any clock starts
from torch import nn

import firstlight as fl
from benchmarks import cifar

BATCH = int(os.environ.get("BENCH_BATCH", "128"))
EPOCHS = int(os.environ.get("BENCH_EPOCHS", "1"))
PICTURES = int(os.environ.get("BENCH_PICTURES", "50000"))  # the first so many of the training split

cifar.prepare()
# Nothing that earlier runs measured on this machine helps: what fit has to find out is part of its time.
_left = tempfile.TemporaryDirectory(prefix="firstlight-bench-", ignore_cleanup_errors=True)
os.environ["FIRSTLIGHT_CACHE"] = str(Path(_left.name) / "cache")
os.environ["FIRSTLIGHT_RUNS"] = str(Path(_left.name) / "runs")
os.environ["FIRSTLIGHT_LANG"] = "en"


def lenet() -> nn.Module:
    """The tutorial's network, a LeNet of 62,006 weights."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def cifar10(pictures: int | None = None) -> tuple[fl.Dataset, fl.Dataset]:
    train, test = fl.load("cifar10", progress=False)
    count = PICTURES if pictures is None else pictures
    return (train if count >= len(train) else train.subset(slice(count))), test


def accuracy(model: nn.Module, test: fl.Dataset) -> float:
    """Outside of every clock."""
    return float(fl.evaluate(model, test).accuracy)


__all__ = ["BATCH", "EPOCHS", "PICTURES", "accuracy", "cifar10", "lenet", "torch"]
