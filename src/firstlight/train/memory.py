"""Whether a step has room in memory, said before training starts, and how much training took."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from firstlight.errors import FirstlightError
from firstlight.locale import Text


class BatchTooLarge(FirstlightError, MemoryError):
    """One step needs more memory than there is."""

    text = Text(
        what="A batch of {size} does not fit into memory: a step needs about {need}, and {have} are free.",
        why="A step keeps what every layer has computed for every sample of the batch until the backward pass.",
        do="Use batch_size={fits}, the largest that fits.",
    )


class PeakMemory:
    """Filled when the block ends: `bytes` above what was there at the start, and `kind` of the number."""

    bytes: int | None = None
    kind: str = ""


@contextmanager
def peak_memory(device: torch.device | str = "cpu") -> Iterator[PeakMemory]:
    """Measure the most memory that a block holds at one time, above what was held before it."""
    yield PeakMemory()


def require_room(
    model: nn.Module,
    batch: tuple[Any, torch.Tensor],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    device: torch.device | str | None = None,
    *,
    precision: torch.dtype = torch.float32,
) -> None:
    """Raise `BatchTooLarge` where a step on a batch of `batch_size` would not fit; `batch` has a few samples of it."""


@contextmanager
def room_errors(
    model: nn.Module, batch_size: int, device: torch.device | str | None = None
) -> Iterator[None]:
    """An allocation that fails inside the block becomes `BatchTooLarge`, with a size to try."""
    yield
