"""Random generators that are the caller's: used here, and handed back as they were."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from firstlight.run.chance import stand, standing


@contextmanager
def borrowed_randomness(seed: int | None = None) -> Iterator[None]:
    """A block that may draw from the global generators of torch, NumPy and Python, which then stand where they stood.

    Args:
        seed: Where all of them start inside the block; None to go on from where they are.

    Example:
        >>> with borrowed_randomness(seed=1):
        ...     first = torch.rand(1)
        >>> with borrowed_randomness(seed=1):
        ...     print(bool(torch.rand(1) == first))
        True
    """
    before = standing(waken=True)
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
        yield
    finally:
        stand(before)
