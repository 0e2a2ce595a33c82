"""Random generators that are the caller's: used here, and handed back as they were."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


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
    python, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    accelerator = _accelerator()
    every = "_all" if hasattr(accelerator, "get_rng_state_all") else ""  # CUDA and XPU have a generator per device
    on_device = getattr(accelerator, f"get_rng_state{every}")() if accelerator is not None else None
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(tensors)
        if accelerator is not None:
            getattr(accelerator, f"set_rng_state{every}")(on_device)


def _accelerator() -> Any:
    """`torch.cuda`, `torch.mps` or `torch.xpu`: modules with the same functions."""
    if not torch.accelerator.is_available():
        return None
    kind = torch.accelerator.current_accelerator()
    return getattr(torch, kind.type, None) if kind is not None else None
