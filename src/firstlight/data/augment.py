"""Small random changes to training pictures, a batch at a time. Shapes: B batch, C channels, H height, W width."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from firstlight.data.errors import BadAugment

Augment = Callable[[Tensor], Tensor]


def flip(pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror about half of the pictures, left to right.

    Shape:
        pictures: (B, C, H, W)

    Example:
        >>> _ = torch.manual_seed(0)
        >>> flip(torch.arange(4).view(4, 1, 1, 1).expand(4, 1, 1, 2)).shape
        torch.Size([4, 1, 1, 2])
    """
    mirrored = torch.rand(len(pictures), generator=generator) < 0.5
    return torch.where(mirrored.to(pictures.device).view(-1, 1, 1, 1), pictures.flip(3), pictures)


def shift(pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Move each picture by up to an eighth of its side, black where nothing was.

    Shape:
        pictures: (B, C, H, W)
    """
    batch, channels, height, width = pictures.shape
    reach = max(1, min(height, width) // 8)
    padded = nn.functional.pad(pictures, (reach, reach, reach, reach))
    top = torch.randint(0, 2 * reach + 1, (batch, 1), generator=generator)
    left = torch.randint(0, 2 * reach + 1, (batch, 1), generator=generator)
    rows = (top + torch.arange(height)).to(pictures.device)  # (B, H): which padded row each row is taken from
    columns = (left + torch.arange(width)).to(pictures.device)  # (B, W)
    rows = rows.view(batch, 1, height, 1).expand(-1, channels, -1, padded.shape[3])
    return padded.gather(2, rows).gather(3, columns.view(batch, 1, 1, width).expand(-1, channels, height, -1))


NAMED = {"flip": flip, "shift": shift}


def augmentation(wanted: str | Augment, generator: torch.Generator | None) -> Augment:
    """The function behind `augment=`: a name, several joined by "+", or the learner's own function.

    Raises:
        BadAugment: The name is unknown, or it is neither name nor function.
    """
    if callable(wanted):
        return wanted
    if not isinstance(wanted, str):
        raise BadAugment(name=repr(wanted), names=", ".join(NAMED))
    steps = []
    for name in wanted.split("+"):
        if name.strip() not in NAMED:
            raise BadAugment(name=name.strip(), names=", ".join(NAMED))
        steps.append(partial(NAMED[name.strip()], generator=generator))

    def apply(pictures: Tensor) -> Tensor:
        for step in steps:
            pictures = step(pictures)
        return pictures

    return apply
