"""The catalogue: one file for each dataset, whose name is the file's name.

A file gives `card`, `classes` and `samples(split, seed=0, progress=True)`, which returns `Samples`. Being in this
folder registers it; one shared test holds every dataset to the same form.
"""

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from torch import Tensor

from firstlight.data.card import Card
from firstlight.data.trees import Tree


class Samples(NamedTuple):
    """What a file of the catalogue gives for one split.

    Attributes:
        inputs: Pictures `(N, C, H, W)` as `uint8`, or a list of trees.
        labels: Class indices `(N,)`, `int64`.
        place: Where they were read from on this machine.
        statistics: Mean and standard deviation of each channel, where they are known already.
    """

    inputs: Tensor | list[Tree]
    labels: Tensor
    place: str = ""
    statistics: tuple[list[float], list[float]] | None = None


class Entry(Protocol):
    """What a file of the catalogue holds."""

    card: Card
    classes: Sequence[str]

    def samples(self, split: str, *, seed: int = 0, progress: bool = True) -> Samples:
        """The inputs and labels of "train" or "test"."""
        ...


def names() -> list[str]:
    """The names of all datasets in the catalogue.

    Example:
        >>> names()
        ['arithmetic', 'cifar10', 'cifar100', 'fashion_mnist', 'fashion_mnist_small', 'mnist']
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def entry(name: str) -> Entry:
    """The file of the catalogue with this name."""
    return cast(Entry, import_module(f"{__name__}.{name}"))
