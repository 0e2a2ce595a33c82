"""Counting the bytes of the tensors that are alive while something runs, really or on fake tensors."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Alive(TorchDispatchMode):
    """A block in which storages are known from when they are first seen until they are gone.

    What to count, and when, is for the subclass's `__torch_dispatch__` to say, with `know`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without types
        self.live = 0  # bytes counted now
        self.known: dict[int, tuple[Any, int, Any]] = {}  # storage -> its reference, bytes counted, `mark` at the time

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)  # type: ignore[no-untyped-call]  # as above

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing compiled runs in here; to be kept from torch.compile costs as much as the rest of a call

    def mark(self) -> Any:
        """What to note beside a storage that is new."""
        return None

    def know(self, value: Any, *, count: bool, more: int = 0) -> None:
        """Take note of a tensor's memory, as one to count or as one that was there before."""
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            return
        try:
            storage = value.untyped_storage()
        except RuntimeError:  # wrapped by torch.func, or of a kind without memory of its own
            return
        key, size = storage._cdata, storage.nbytes() + more if count else 0
        if key in self.known:
            return

        def gone(_reference: Any) -> None:
            self.known.pop(key, None)
            self.live -= size

        self.known[key] = (weakref.ref(storage, gone), size, self.mark())
        self.live += size
