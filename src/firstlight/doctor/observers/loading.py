"""How much of a saved state found its place in a model."""

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.doctor.observer import Call, Observer

_MOST = 40


class Loading(Observer):
    """Fact `loaded`: for each module, its newest `load_state_dict`; and files that were read and filled no model."""

    kinds: ClassVar = ("loaded",)
    gaps: ClassVar = frozenset({"forward_begins"})
    hears: ClassVar = {
        "load_state_dict": ("torch.nn.Module", "load_state_dict"),
        "state_dict": ("torch.nn.Module", "state_dict"),
        "load": ("torch", "load"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        # What is known of models outlives them: a function may own them.
        self._rows: list[dict[str, Any]] = []
        self._of: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._saved: list[dict[str, Any]] = []  # states that were read or asked for, the newest last
        self._asked = 0
        self._looked: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name == "load":
            for state in _states(result):
                self._keep(state, read=True)
        elif name == "state_dict":
            # A part of a model is asked by the whole: with `destination`, or a prefix.
            if len(args) == 1 and not kwargs and isinstance(result, Mapping):
                self._keep(result, read=False)
            self._asked += 1
            if self._asked > 256:
                self.witness.enough(self, name)
        else:
            self._load(args, kwargs, result)

    def _keep(self, state: Mapping[Any, Any], *, read: bool) -> None:
        names = {str(key): one for key, one in state.items() if isinstance(one, Tensor)}
        if not names or (not read and any(one["names"].keys() == names.keys() for one in self._saved)):
            return
        place = self.witness.place() if read else None
        self._saved = self._saved[-7:]
        self._saved.append(
            {"names": {key: _sample(one) for key, one in names.items()}, "read": read, "used": False, "row": None,
             "place": place and place.as_json()}
        )  # fmt: skip

    def _load(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        module = args[0] if args else None
        state = kwargs.get("state_dict", args[1] if len(args) > 1 else None)
        strict = kwargs.get("strict", args[2] if len(args) > 2 else True)
        unexpected = getattr(result, "unexpected_keys", None)
        if not isinstance(module, nn.Module) or unexpected is None or not isinstance(state, Mapping):
            return
        own = module.state_dict()
        given, matched = [str(one) for one in state], len(state) - len(unexpected)
        missing = [str(one) for one in getattr(result, "missing_keys", ())[:3]]
        surplus = [str(one) for one in unexpected[:3]]
        nothing = not state or all(
            isinstance(one, Tensor) and key in own and one.numel() and one.data_ptr() == own[key].data_ptr()
            for key, one in state.items()
        )
        saved = next((one for one in reversed(self._saved) if _other_names(one, own)), None) if nothing else None
        if saved is not None and not _taken_over(saved, own):
            # The model's own weights were put back, since nothing in the file had a name that it knows.
            given, matched, strict = list(saved["names"]), 0, False
            surplus, missing = given[:3], [str(one) for one in own][:3]
        elif matched:
            for one in self._saved:
                one["used"] |= bool(one["names"].keys() & set(given))
        row = self._of.get(module)
        if row is None:
            row = {}
            if len(self._rows) < _MOST:
                self._rows.append(row)
            self._of[module] = row
        place = self.witness.place()
        row |= {
            "class": type(module).__name__, "strict": bool(strict), "given": len(given), "own": len(own),
            "matched": matched, "unexpected": surplus, "missing": missing, "step": self.witness.step,
            "place": place and place.as_json(), "sure": True,
        }  # fmt: skip

    def forward_begins(self, call: Call) -> None:
        """A model is trained: has a file been read that was meant for it, by its shapes, and that it has not got?"""
        if not self._saved or not call.close or not call.grad or call.module in self._looked:
            return
        self._looked.add(call.module)
        if call.module in self._of:
            return
        own = call.module.state_dict()
        for saved in self._saved:
            if saved["read"] and not saved["used"] and _other_names(saved, own) and not _taken_over(saved, own):
                saved["row"] = {
                    "class": type(call.module).__name__, "strict": False, "given": len(saved["names"]), "own": len(own),
                    "matched": 0, "unexpected": list(saved["names"])[:3], "missing": [str(one) for one in own][:3],
                    "step": self.witness.step, "place": saved["place"], "sure": False,
                }  # fmt: skip
                return

    def facts(self) -> Iterator[tuple[str, Any]]:
        """One entry for each module."""
        idle = [one["row"] for one in self._saved if one["row"] is not None and not one["used"]]
        if self._rows or idle:
            yield "loaded", [*self._rows, *idle]


def _states(value: Any) -> list[Mapping[Any, Any]]:
    """The states of models in what a file held: itself, or some of its values."""
    if not isinstance(value, Mapping):
        return []
    found = [value, *(one for one in value.values() if isinstance(one, Mapping))]
    return [one for one in found if sum(isinstance(tensor, Tensor) for tensor in one.values()) >= 2]


def _other_names(saved: dict[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a state has no name of a model's, and at least half of its matrices have shapes that the model has."""
    if saved["names"].keys() & own.keys():
        return False
    shapes = [one[0] for one in saved["names"].values() if len(one[0]) >= 2]
    theirs = {tuple(one.shape) for one in _matrices(own)}
    return bool(shapes) and 2 * sum(shape in theirs for shape in shapes) >= min(len(shapes), len(theirs))


def _taken_over(saved: dict[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a matrix of a model has the numbers of one in a state, under whatever name."""
    known = [one for one in saved["names"].values() if len(one[0]) >= 2]
    return any(_sample(one) in known for one in _matrices(own))


def _matrices(own: Mapping[str, Any]) -> list[Tensor]:
    whole = [one for one in own.values() if isinstance(one, Tensor) and not nn.parameter.is_lazy(one)]
    return [one for one in whole if one.dim() >= 2]


def _sample(tensor: Tensor) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Shape and some numbers of a tensor."""
    if tensor.is_meta or tensor.layout != torch.strided or not tensor.numel():
        return tuple(tensor.shape), ()
    flat = tensor.detach().flatten()
    return tuple(tensor.shape), tuple(float(one) for one in flat[:: max(1, len(flat) // 6)][:6].tolist())
