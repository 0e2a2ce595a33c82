"""Reading the pickles in which CIFAR is distributed, without giving them any power.

A pickle is a little program: it may name any function and have it called. This reader knows five names, and each stands
for something of ours that can only hold bytes and numbers, never for a function of NumPy or Python.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data.errors import DamagedFile, HostilePickle

Value = Any  # dict, list, tuple, bytes, str, int, float, None or an array


def read_pickle(path: Path, data: bytes | None = None) -> Value:
    """What a pickle holds, if that is arrays of numbers in plain containers.

    Args:
        path: The file; errors name it.
        data: Its content, where it comes out of an archive.

    Raises:
        HostilePickle: It asks for anything else.
        DamagedFile: It cannot be read.
    """
    data = path.read_bytes() if data is None else data
    try:
        _check_sizes(data)
        return _finish(_Reader(io.BytesIO(data), path).load())
    except HostilePickle:
        raise
    # A damaged pickle can fail in as many ways as its machine has instructions.
    except (pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise DamagedFile(path=path, reason=str(error) or type(error).__name__) from error
    except (AttributeError, MemoryError, OverflowError, RecursionError) as error:
        raise DamagedFile(path=path, reason=str(error) or type(error).__name__) from error


def _check_sizes(data: bytes) -> None:
    """Refuse numbers for which the machine would take memory before it looks for the bytes: ten bytes could take all.

    Going over the instructions finds lengths that the file does not have. What it keeps is numbered from 0, without
    gaps.
    """
    for place, (instruction, argument, _position) in enumerate(pickletools.genops(data)):
        if instruction.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument not in range(place + 1):
            raise pickle.UnpicklingError(f"{instruction.name} {argument}")


class _Reader(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, path: Path) -> None:
        super().__init__(stream, encoding="bytes")  # Python 2 wrote the official files: its strings are bytes
        self.path = path
        self.names = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise HostilePickle(path=self.path, name=f"{module}.{name}")
        return self.names[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise HostilePickle(path=self.path, name=f"persistent id {pid!r}")


class _Held:
    """The part that all stand-ins share: an array that is known once the pickle has ended."""

    array: NDArray[np.generic]


def _stand_ins() -> dict[tuple[str, str], Any]:
    """Fresh ones for each file: what one pickle does to them, another never sees."""

    class Kind:
        def __init__(self, code: Any, *_: Any) -> None:
            text = code.decode("ascii") if isinstance(code, bytes) else str(code)
            if text not in ("u1", "i1", "i2", "i4", "i8", "f4", "f8", "b1"):
                raise pickle.UnpicklingError(f"dtype={text!r}")
            self.code = text
            self.order = "<"

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            order = state[1].decode("ascii") if isinstance(state[1], bytes) else str(state[1])
            self.order = order if order in ("<", ">", "|") else "<"

    class Array(_Held):
        def __init__(self, *_: Any) -> None:
            self.array = np.empty(0)

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            _version, shape, kind, fortran, content = state
            if type(kind) is not Kind or not isinstance(content, bytes):
                raise pickle.UnpicklingError("dtype=object")
            flat = np.frombuffer(content, dtype=np.dtype(kind.order + kind.code))  # copies nothing, allocates nothing
            self.array = flat.reshape(tuple(shape), order="F" if fortran else "C")

    return {
        ("numpy.core.multiarray", "_reconstruct"): Array,
        ("numpy._core.multiarray", "_reconstruct"): Array,
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Kind,
    }


def _finish(value: Value, known: dict[int, Value] | None = None) -> Value:
    """Put the arrays in the place of their stand-ins; nothing but plain values may remain."""
    known = {} if known is None else known
    if isinstance(value, _Held):
        return value.array
    if value is None or type(value) in (bytes, str, int, float, bool):
        return value
    if type(value) not in (dict, list, tuple):
        raise ValueError(f"holds a {type(value).__name__}")
    if id(value) in known:  # each container once: one that holds itself many times over would never end
        return known[id(value)]
    known[id(value)] = None
    if type(value) is dict:
        known[id(value)] = {key: _finish(item, known) for key, item in value.items()}
    else:
        known[id(value)] = type(value)(_finish(item, known) for item in value)
    return known[id(value)]
