"""Fashion-MNIST, a sixth of it, inside this package: the dataset that always works."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from firstlight.data.card import Card
from firstlight.data.sets import Samples
from firstlight.data.sets.fashion_mnist import classes as classes  # the same ten
from firstlight.locale import Text

FOLDER = Path(__file__).with_name("embedded")
COUNTS = {"train": 10_000, "test": 2_000}
COLUMNS = 100  # pictures beside one another on the sheet

card = Card(
    name="fashion_mnist_small",
    text=Text(
        what=(
            "12,000 grey pictures of clothes, 28 × 28 pixels, in 10 classes: 10,000 to train with, 2,000 to test with."
        ),
        why="It is part of the package, so it needs no internet, and it is small enough for any computer.",
        do=(
            "Each class has equally many pictures, chosen at random from Fashion-MNIST; use fashion_mnist for all "
            "70,000."
        ),
    ),
    source="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT, © 2017 Zalando SE (embedded/LICENSE-fashion-mnist.txt)",
    citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
    "Algorithms. arXiv:1708.07747, 2017.",
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (nothing random, nothing slow)
    """Cut the sheet into its pictures; training comes first."""
    with Image.open(FOLDER / "fashion_mnist_small.png") as sheet:
        pixels = torch.from_numpy(np.array(sheet))
    rows = pixels.shape[0] // 28
    pictures = pixels.view(rows, 28, COLUMNS, 28).transpose(1, 2).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(np.load(FOLDER / "fashion_mnist_small_labels.npy")).to(torch.int64)
    part = slice(0, COUNTS["train"]) if split == "train" else slice(COUNTS["train"], None)
    return Samples(pictures[part].clone(), labels[part].clone(), str(FOLDER))
