"""Memory that one step gives back is kept for the next one.

A training step takes and gives back the same tensors each time. The C library of most Linux systems returns large ones
to the system at once, and the system hands out new memory page by page, each filled with zeros at its first touch. On
CPUs, that can take a third of a step. So while a training goes on, the process keeps what it has been given; when it
is over, what is free goes back. No number that is computed depends on it.

Only glibc offers this. Elsewhere, and where the person has set glibc up already, nothing happens.
"""

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # the names of glibc's malloc.h, without M_
_NEVER = 2**31 - 1
_AHEAD = 64 * 2**20  # bytes asked of the system at a time; what is not touched takes no memory
# What glibc itself comes to, once a program has given back tensors of the largest size that it learns from.
_USUAL = {_TRIM_THRESHOLD: 64 * 2**20, _TOP_PAD: 128 * 2**10, _MMAP_THRESHOLD: 32 * 2**20, _MMAP_MAX: 65536}

_lock = threading.Lock()
_blocks = 0  # how many want the memory kept now


@contextmanager
def kept_memory() -> Iterator[None]:
    """A block in which freed memory stays with the process. Blocks may stand inside each other.

    Example:
        >>> with kept_memory():
        ...     numbers = [0.0] * 1000
    """
    keep_memory()
    try:
        yield
    finally:
        global _blocks
        with _lock:
            _blocks -= 1
            if _blocks == 0 and (library := _library()) is not None:
                for name, value in _USUAL.items():
                    library.mallopt(name, value)
        give_back()


def keep_memory() -> None:
    """From now on, freed memory stays with the process, until `give_back`."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks == 1 and (library := _library()) is not None:
            library.mallopt(_MMAP_MAX, 0)
            library.mallopt(_TRIM_THRESHOLD, _NEVER)
            library.mallopt(_TOP_PAD, _AHEAD)


def give_back() -> None:
    """What is free goes back to the system now; some milliseconds."""
    if (library := _library()) is not None:
        library.malloc_trim(0)


def attend_kernel(shell: Any = None) -> None:
    """From now on, keep memory in each cell of this kernel, and give back what is free when the cell has ended.

    Args:
        shell: The IPython of the kernel.
    """
    if shell is not None:
        keep_memory()
        shell.events.register("post_run_cell", _after_cell)


def _after_cell(_result: Any = None) -> None:
    give_back()


@cache
def _library() -> Any:
    """The C library, where it is glibc and nobody has set it up."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or os.environ.get("LD_PRELOAD"):
        return None  # a library that is loaded before may be another malloc
    if any(name == "GLIBC_TUNABLES" or (name.startswith("MALLOC_") and name.endswith("_")) for name in os.environ):
        return None
    try:
        library = ctypes.CDLL(None)
        library.mallopt.argtypes, library.mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
        library.malloc_trim.argtypes, library.malloc_trim.restype = (ctypes.c_size_t,), ctypes.c_int
    except (OSError, AttributeError):
        return None
    return library
