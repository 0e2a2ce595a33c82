"""Warnings that were given while a program ran, by PyTorch and others, with the learner's line."""

from collections.abc import Iterator
from typing import Any, ClassVar

from firstlight.doctor.observer import Observer
from firstlight.doctor.places import Place

_MOST = 40


class Spoken(Observer):
    """Fact `warnings`: each warning once, with its line and how often it came."""

    kinds: ClassVar = ("warnings",)

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._rows: dict[tuple[str, Place | None], dict[str, Any]] = {}

    def warned(self, category: str, message: str, place: Place | None) -> None:
        key = (message[:200], place)
        if key not in self._rows and len(self._rows) >= _MOST:
            return
        row = self._rows.setdefault(
            key,
            {
                "category": category,
                "message": message[:600],
                "place": place and place.as_json(),
                "step": self.witness.step,
                "count": 0,
            },
        )
        row["count"] += 1

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was warned of so far."""
        if self._rows:
            yield "warnings", list(self._rows.values())
