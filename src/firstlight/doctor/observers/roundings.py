"""Floating-point numbers that become whole numbers, as labels do: what is cut off there."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from firstlight.doctor.observer import Observer

_HEARD = 60  # conversions of an episode that are looked at
_LONGEST = 1_000_000
_NEAR = 0.02  # of a whole number: what bytes give that were divided by 255 and taken times a few classes
_FEW = 40  # different numbers: more are measurements, not classes


class Roundings(Observer):
    """Fact `roundings`: conversions that cut numbers off which lie directly below a whole one, or merge classes."""

    kinds: ClassVar = ("roundings",)
    hears: ClassVar = {f"whole.{name}": ("torch.Tensor", name) for name in ("long", "int", "to", "type")}

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._rows: list[dict[str, Any]] = []
        self._heard: dict[str, int] = {}

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        count = self._heard[name] = self._heard.get(name, 0) + 1
        if count >= _HEARD or len(self._rows) >= 8:
            self.witness.enough(self, name)
        given = args[0] if args else None
        if not isinstance(given, Tensor) or not isinstance(result, Tensor) or given is result:
            return
        if not given.is_floating_point() or result.is_floating_point() or result.dtype in (torch.bool, torch.uint8):
            return
        if given.device.type != "cpu" or not 8 <= given.numel() <= _LONGEST or given.requires_grad:
            return
        row = _cut(given.detach().double(), given.dtype)
        if row is not None:
            place = self.witness.place()
            self._rows.append({**row, "place": place and place.as_json(), "step": self.witness.step})

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Conversions that cut something off."""
        if self._rows:
            yield "roundings", self._rows


def _cut(values: Tensor, dtype: torch.dtype) -> dict[str, Any] | None:
    """What cutting off does to these numbers; None where it does nothing to think about."""
    if not bool(values.isfinite().all()):
        return None
    near = 1e-3 if dtype in (torch.float16, torch.bfloat16) else 1e-4
    nearest, cut = values.round(), values.trunc()
    close = (values - nearest).abs() <= near
    wrong = close & (nearest != cut)
    if bool(close.all()) and bool(wrong.any()):
        at = int(wrong.flatten().nonzero()[0])
        return {
            "kind": "below",
            "count": values.numel(),
            "wrong": int(wrong.sum()),
            "value": float(values.flatten()[at]),
            "cut": int(cut.flatten()[at]),
        }
    distinct = torch.unique(values)
    after = torch.unique(distinct.trunc())
    nearest = distinct.round()
    few = 3 <= len(distinct) <= _FEW and values.numel() >= 4 * len(distinct)
    if few and bool(((distinct - nearest).abs() <= _NEAR).all()) and bool((nearest != distinct.trunc()).any()):
        at = int((nearest != distinct.trunc()).nonzero()[0])
        return {
            "kind": "near",
            "count": values.numel(),
            "wrong": int(torch.isin(values, distinct[nearest != distinct.trunc()]).sum()),
            "value": float(distinct[at]),
            "cut": int(distinct[at].trunc()),
        }
    if len(after) == 1 and len(distinct) >= 3 and values.numel() >= 4:
        return {
            "kind": "merged",
            "count": values.numel(),
            "before": len(distinct),
            "after": 1,
            "value": float(distinct[-1]),
            "cut": int(after[0]),
        }
    # Classes such as 0.5, 1.0, 1.5: few numbers at equal distances, each of them met several times.
    if few and len(after) < len(distinct):
        steps = (distinct[1:] - distinct[:-1]) / (distinct[1:] - distinct[:-1]).min()
        if bool(((steps - steps.round()).abs() < 1e-3).all()) and float(steps.max()) <= 4:
            return {
                "kind": "merged",
                "count": values.numel(),
                "before": len(distinct),
                "after": len(after),
                "classes": [int(one) for one in after.tolist()],
                "value": float(distinct[1]),
                "cut": int(distinct[1].trunc()),
            }
    return None
