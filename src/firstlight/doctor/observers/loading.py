"""How much of a saved state found its place in a model."""

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import nn

from firstlight.doctor.observer import Observer


class Loading(Observer):
    """Fact `loaded`: for each module, its newest `load_state_dict`."""

    kinds: ClassVar = ("loaded",)
    hears: ClassVar = {"load_state_dict": ("torch.nn.Module", "load_state_dict")}

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._rows: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        module = args[0] if args else None
        state = kwargs.get("state_dict", args[1] if len(args) > 1 else None)
        strict = kwargs.get("strict", args[2] if len(args) > 2 else True)
        unexpected = getattr(result, "unexpected_keys", None)
        if not isinstance(module, nn.Module) or unexpected is None or not isinstance(state, Mapping):
            return
        given, own = list(state.keys()), list(module.state_dict().keys())
        place = self.witness.place()
        self._rows[module] = {
            "class": type(module).__name__, "strict": bool(strict), "given": len(given), "own": len(own),
            "matched": len(given) - len(unexpected), "unexpected": [str(one) for one in unexpected[:3]],
            "missing": [str(one) for one in getattr(result, "missing_keys", ())[:3]], "step": self.witness.step,
            "place": place and place.as_json(),
        }  # fmt: skip

    def facts(self) -> Iterator[tuple[str, Any]]:
        """One entry for each module."""
        if self._rows:
            yield "loaded", list(self._rows.values())
