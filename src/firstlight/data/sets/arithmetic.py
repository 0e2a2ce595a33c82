"""Arithmetic: expression trees, each with a shape of its own, so that each sample needs a graph of its own."""

import torch

from firstlight.data.card import Card
from firstlight.data.sets import Samples
from firstlight.data.trees import expressions
from firstlight.locale import Text

COUNTS = {"train": 10_000, "test": 2_000}

classes = tuple(str(digit) for digit in range(10))

card = Card(
    name="arithmetic",
    text=Text(
        what="12,000 random expressions such as (2 + 3) * 4, as trees; the class is the result modulo 10.",
        why=(
            "No two trees need have the same shape, so the network is built anew for each sample: what PyTorch is "
            "good at."
        ),
        do="Write a module that calls itself for the left and the right part; a leaf is an int from 0 to 9.",
    ),
    source="firstlight.data.trees",
    licence="CC0-1.0",
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (done at once)
    """Grow the trees; no expression is in both splits."""
    trees = expressions(sum(COUNTS.values()), seed)
    chosen = trees[: COUNTS["train"]] if split == "train" else trees[COUNTS["train"] :]
    return Samples(chosen, torch.tensor([tree.value % 10 for tree in chosen], dtype=torch.int64))
