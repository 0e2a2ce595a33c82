"""What ran on lines that rules read: how many batches a loop was given and how large, where models were called."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from firstlight.doctor.observer import Call, Feed, Observer

_MOST = 64  # lines
_PASSES = 1000  # over loaders: to ask for the line of each costs microseconds


class LinesRun(Observer):
    """Fact `lines_run`: loops over loaders, and calls of models, by their lines; kinds of devices."""

    kinds: ClassVar = ("lines_run",)

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._loops: dict[tuple[str, int], dict[str, Any]] = {}
        self._calls: dict[tuple[str, int], dict[str, Any]] = {}
        self._devices: set[str] = set()

    def feed_begins(self, feed: Feed) -> None:
        if feed.number >= _PASSES:
            return
        place = feed.place or self.witness.place()
        if place is not None and (len(self._loops) < _MOST or (place.file, place.line) in self._loops):
            row = self._loops.setdefault(
                (place.file, place.line), {"most": 0, "smallest": 0, "largest": 0, "passes": 0}
            )
            row["passes"] += 1
            feed.extra["lines_run"] = row

    def batch(self, feed: Feed, batch: Any) -> None:
        row = feed.extra.get("lines_run")
        if row is None:
            return
        row["most"] = max(row["most"], feed.count)
        size = _size(batch)
        if size:
            row["smallest"] = min(row["smallest"] or size, size)
            row["largest"] = max(row["largest"], size)

    def forward(self, call: Call) -> None:
        if not call.close or call.place is None or len(self._calls) >= _MOST:
            return
        row = self._calls.setdefault((call.place.file, call.place.line), {"times": 0, "learns": 0})
        row["times"] += 1
        row["learns"] += call.grad
        weight = next(call.module.parameters(), None)
        if weight is not None:
            self._devices.add(weight.device.type)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What ran so far."""
        if self._loops or self._calls:
            yield (
                "lines_run",
                {
                    "loops": [{"file": file, "line": line, **row} for (file, line), row in self._loops.items()],
                    "calls": [{"file": file, "line": line, **row} for (file, line), row in self._calls.items()],
                    "devices": sorted(self._devices),
                    "accelerator": torch.cuda.is_available(),
                },
            )


def _size(batch: Any) -> int:
    """How many samples a batch holds: the first side of its first tensor."""
    if type(batch) in (list, tuple) and batch and type(batch[0]) is Tensor and batch[0].ndim:
        return int(batch[0].shape[0])  # `len` of a tensor takes far longer
    for _depth in range(4):
        if isinstance(batch, Tensor):
            return int(batch.shape[0]) if batch.dim() else 0
        if isinstance(batch, dict):
            batch = next(iter(batch.values()), None)
        elif isinstance(batch, list | tuple) and batch:
            batch = batch[0]
        else:
            return 0
    return 0
