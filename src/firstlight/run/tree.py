"""States of optimizers, schedulers and generators as JSON and tensors, so that nothing has to be pickled.

`torch.save` would pickle them, and to open such a file is to run what it says.
"""

import collections
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.run.errors import NotStorable
from firstlight.run.values import to_json

_KINDS: dict[str, Callable[[Any], Any]] = {  # containers that come back as what they were
    "tuple": tuple,
    "set": set,
    "pairs": dict,
    "ordered": collections.OrderedDict,
    "counter": collections.Counter,
}
_KIND, _VALUE = "$kind", "value"


def pack(value: Any, tensors: dict[str, Tensor], place: str = "") -> Any:
    """A form of the value that JSON holds; its tensors go into `tensors`, each under its place.

    Tensors are copied, one that occurs twice only once; each of its places has a name of its own. They keep their
    strides where these are a whole block of memory in another order: fused optimizers read weight and momentum as two
    rows of numbers in one order.

    Raises:
        NotStorable: For an object that is no number, text, container, array or tensor.

    Example:
        >>> tensors = {}
        >>> packed = pack({"step": 3, "betas": (0.9, 0.999), 0: torch.ones(2)}, tensors)
        >>> unpack(packed, tensors)
        {'step': 3, 'betas': (0.9, 0.999), 0: tensor([1., 1.])}
    """
    return _Packer(tensors).pack(value, place)


class _Packer:
    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._tensors = tensors
        self._copies: dict[tuple[Any, ...], Tensor] = {}
        self._kept: list[Tensor] = []  # alive until the end, or the memory of one may become that of another

    def pack(self, value: Any, place: str) -> Any:
        if value is None or isinstance(value, str | bool) or type(value) in (int, float):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if isinstance(value, np.ndarray) and value.dtype.kind in "buif":
            return {_KIND: "array", _VALUE: self._tensor(torch.from_numpy(value.copy()), place)}
        if isinstance(value, np.generic) and value.dtype.kind in "buif":
            return value.item()
        if isinstance(value, torch.dtype | torch.device):
            return {_KIND: type(value).__name__, _VALUE: str(value).removeprefix("torch.")}
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if isinstance(value, list | tuple | set | frozenset):
            items = [self.pack(item, f"{place}.{index}") for index, item in enumerate(value)]
            if isinstance(value, list):
                return items
            return {_KIND: "tuple" if isinstance(value, tuple) else "set", _VALUE: items}
        raise NotStorable(place=place, kind=type(value).__name__)

    def _mapping(self, value: Mapping[Any, Any], place: str) -> Any:
        plain = type(value) is dict
        if plain and _KIND not in value and all(type(key) is str for key in value):
            return {key: self.pack(item, f"{place}.{key}" if place else key) for key, item in value.items()}
        kind = "counter" if isinstance(value, collections.Counter) else "pairs" if plain else "ordered"
        pairs = [
            [self.pack(key, f"{place}.{index}.key"), self.pack(item, f"{place}.{key}")]
            for index, (key, item) in enumerate(value.items())
        ]
        return {_KIND: kind, _VALUE: pairs}

    def _free(self, place: str) -> str:
        """The place, or one like it where another tensor is there: {"a.b": x, "a": {"b": y}} gives one place twice."""
        found, count = place, 1
        while found in self._tensors:
            count += 1
            found = f"{place}#{count}"
        return found

    def _tensor(self, value: Tensor, place: str) -> Any:
        known = type(value) in (Tensor, torch.nn.Parameter) and not value.is_meta
        if known and value.layout == torch.sparse_coo:  # gradients of an embedding
            parts = (value._indices(), value._values())
            stored = [self._tensor(part.detach(), f"{place}.{index}") for index, part in enumerate(parts)]
            return {_KIND: "sparse", _VALUE: stored, "shape": list(value.shape), "coalesced": value.is_coalesced()}
        if not known or value.layout != torch.strided:
            raise NotStorable(place=place, kind=f"{type(value).__name__} ({value.layout})")
        value = value.detach()
        same = (value.device, value.data_ptr(), value.shape, value.stride(), value.dtype)
        copy = self._copies.get(same) if value.numel() else None
        if copy is None:
            copy = self._copies[same] = value.clone() if value.device.type == "cpu" else value.cpu()
            self._kept.append(value)
        place = self._free(place)
        self._tensors[place] = copy
        found: dict[str, Any] = {_KIND: "tensor", _VALUE: place}
        if not copy.is_contiguous():  # `clone` keeps the order of a whole block, and packs everything else
            found["stride"] = list(copy.stride())
        return found


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What was given to `pack`.

    Raises:
        KeyError: A tensor is missing.
        ValueError: It is no packed value.
    """
    return _Unpacker(tensors).unpack(packed)


class _Unpacker:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._places: set[str] = set()
        self._copies: dict[tuple[int, tuple[int, ...] | None], Tensor] = {}

    def unpack(self, packed: Any) -> Any:
        if isinstance(packed, list):
            return [self.unpack(item) for item in packed]
        if not isinstance(packed, dict):
            return packed
        kind = packed.get(_KIND)
        if kind is None:
            return {key: self.unpack(item) for key, item in packed.items()}
        value = packed[_VALUE]
        if kind == "tensor":
            return self._tensor(value, packed.get("stride"))
        if kind == "sparse":
            indices, values = self.unpack(value)
            return torch.sparse_coo_tensor(
                indices, values, packed["shape"], is_coalesced=packed["coalesced"], check_invariants=True
            )
        if kind == "array":
            return self.unpack(value).numpy()
        if kind == "dtype" and isinstance(found := getattr(torch, value, None), torch.dtype):
            return found
        if kind == "device":
            return torch.device(value)
        if kind not in _KINDS:
            raise ValueError(to_json(kind))
        items = self.unpack(value)
        return _KINDS[kind](items if kind in ("tuple", "set") else dict(items))

    def _tensor(self, place: str, stride: list[int] | None) -> Tensor:
        # A file that somebody else wrote may name one tensor a million times: it gets no more memory than it has bytes.
        if place in self._places:
            raise ValueError(place)
        self._places.add(place)
        stored = self._tensors[place]
        same = (id(stored), None if stride is None else tuple(stride))
        if same not in self._copies:
            self._copies[same] = _copied(stored, stride)
        return self._copies[same]


def _copied(stored: Tensor, stride: list[int] | None) -> Tensor:
    """Memory of its own: who gets it may change it, and what was read may be asked for again."""
    if stride is None:
        return stored.clone()
    if 1 + sum((size - 1) * step for size, step in zip(stored.shape, stride, strict=True)) != stored.numel():
        raise ValueError(stride)  # no whole block of memory: `pack` makes none such
    return torch.empty_strided(stored.shape, stride, dtype=stored.dtype).copy_(stored)
