"""Where the random generators stand: read, and set to where they stood."""

import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch


def standing(own: Iterable[Any] = (), *, waken: bool = False) -> dict[str, Any]:
    """The states of the global generators of Python, NumPy and torch, its accelerator's too, and of `own` ones.

    Args:
        own: Generators of torch, NumPy or Python that somebody draws from beside the global ones.
        waken: Ask an accelerator too that nobody has used yet, which starts it. Else it has nothing to tell.

    Example:
        >>> before = standing()
        >>> first = torch.rand(1)
        >>> stand(before)
        >>> bool(torch.rand(1) == first)
        True
    """
    accelerator = _accelerator()
    if not waken and accelerator is torch.cuda and not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it without types
        accelerator = None
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "accelerator": getattr(accelerator, f"get_rng_state{_every(accelerator)}")() if accelerator else None,
        "own": [state_of(generator) for generator in own],
    }


def stand(states: dict[str, Any], own: Iterable[Any] = ()) -> None:
    """Set the generators to where they stood when `standing` was called."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    accelerator = _accelerator()
    if accelerator is not None and states["accelerator"] is not None:
        getattr(accelerator, f"set_rng_state{_every(accelerator)}")(states["accelerator"])
    for generator, state in zip(own, states["own"], strict=True):
        set_state(generator, state)


def is_generator(value: object) -> bool:
    """Whether `standing` knows how to read it."""
    return isinstance(value, torch.Generator | np.random.Generator | np.random.RandomState | random.Random)


def state_of(generator: Any) -> Any:
    """Where one generator of torch, NumPy or Python stands."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state()


def set_state(generator: Any, state: Any) -> None:
    """Set it to where it stood."""
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _accelerator() -> Any:
    """`torch.cuda`, `torch.mps` or `torch.xpu`: modules with the same functions; None where there is none."""
    if not torch.accelerator.is_available():
        return None
    kind = torch.accelerator.current_accelerator()
    return getattr(torch, kind.type, None) if kind is not None else None


def _every(accelerator: Any) -> str:
    return "_all" if hasattr(accelerator, "get_rng_state_all") else ""  # CUDA and XPU have a generator per device
