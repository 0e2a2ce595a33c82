"""CIFAR-10 for every contender: for firstlight as a data folder, for the others as plain arrays.

Taken from `../shared/data/cifar10.py` where that lies beside this clone (the real pictures after one JPEG pass), else
loaded with `fl.load("cifar10")`, which downloads the official files once. Both are kept in `benchmarks/.data`.
"""

import os
import subprocess
import sys
from pathlib import Path

BESIDE = Path(__file__).parents[2] / "shared" / "data" / "cifar10.py"
DATA = Path(__file__).parent / ".data"
ARRAYS = DATA / "arrays"
NAMES = ("train_pictures", "train_labels", "test_pictures", "test_labels")


def prepare() -> str:
    """Lay the data out if it is not there yet, and name it in the environment of this process and of its children.

    Returns:
        Where the pictures come from, in words.
    """
    os.environ["FIRSTLIGHT_DATA"] = str(DATA)
    os.environ["BENCH_CIFAR"] = str(ARRAYS)
    if not all((ARRAYS / f"{name}.npy").exists() for name in NAMES):
        DATA.mkdir(exist_ok=True)
        if BESIDE.exists():
            subprocess.run([sys.executable, str(BESIDE), str(DATA)], check=True)
        # In a process of its own: this one is to stay small, and never imports torch.
        subprocess.run([sys.executable, "-m", "benchmarks.cifar"], check=True, cwd=Path(__file__).parents[1])
    return "real pictures after one JPEG pass" if BESIDE.exists() else "the official pictures"


def _write_arrays() -> None:
    """Decode once, so that no contender's first turn does."""
    import numpy as np

    import firstlight as fl

    ARRAYS.mkdir(parents=True, exist_ok=True)
    for split, data in zip(("train", "test"), fl.load("cifar10"), strict=True):
        np.save(ARRAYS / f"{split}_labels.npy", data.labels.numpy())
        np.save(ARRAYS / f"{split}_pictures.npy", data.inputs.permute(0, 2, 3, 1).contiguous().numpy())


if __name__ == "__main__":
    _write_arrays()
