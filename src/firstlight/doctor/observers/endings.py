"""How backward passes add up to steps, terms that have no graph, and optimizers that were given no closure."""

import traceback
from collections.abc import Iterator
from typing import Any, ClassVar

from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Observer
from firstlight.doctor.places import Place
from firstlight.graph.source import kind_of_file, read_source


class Endings(Observer):
    """Facts `closure_missing`, `accumulation` and `constant_terms`."""

    kinds: ClassVar = ("closure_missing", "accumulation", "constant_terms")
    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._error: dict[str, Any] | None = None
        self._since = self._steps = 0
        self._counts: dict[int, int] = {}
        self._scaled = self._plain = 0
        self._place: Place | None = None
        self._optimizers: set[int] = set()
        self._constant = 0  # losses that something without a graph was added to

    def missed(self) -> None:
        self._since = 0

    def backward(self, going: Backward) -> None:
        self._since += 1

    def backward_begins(self, going: Backward) -> None:
        if not going.close or len(going.losses) != 1 or going.losses[0].grad_fn is None:
            return
        self._place = self._place or going.place
        node: Any = going.losses[0].grad_fn
        name = node.name()
        for _deep in range(4):
            if node is None or not node.name().startswith(("Add", "Sub")):
                break
            below = [one for one, _at in node.next_functions]
            if None in below:
                self._constant += 1
                break
            node = below[0]
        if name.startswith(("Div", "Mul")):
            self._scaled += 1
        elif name.startswith(("Nll", "Mse", "BinaryCrossEntropy", "Mean", "SmoothL1", "Huber")):
            self._plain += 1

    def step(self, optimizer: Optimizer) -> None:
        self._optimizers.add(id(optimizer))
        self._steps += 1
        self._counts[self._since] = self._counts.get(self._since, 0) + 1
        self._since = 0

    def failed(self, error: BaseException) -> None:
        """An exception that says `closure`."""
        if isinstance(error, TypeError) and "closure" in str(error) and "step()" in str(error):
            place = None
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.lineno is not None and kind_of_file(frame.filename) == "own":
                    source = read_source(frame.filename, frame.lineno)
                    place = Place(source.file, source.line, source.text, source.cell, frame.name)
            self._error = {"error": str(error), "step": self.witness.step, "place": place and place.as_json()}

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was seen."""
        if self._error is not None:
            yield "closure_missing", self._error
        if self._constant >= 2:
            yield "constant_terms", {"count": self._constant, "place": self._place and self._place.as_json()}
        if self._steps and len(self._optimizers) == 1:
            most, times = max(self._counts.items(), key=lambda pair: pair[1])
            yield (
                "accumulation",
                {
                    "passes": most,
                    "times": times,
                    "steps": self._steps,
                    "scaled": self._scaled,
                    "plain": self._plain,
                    "place": self._place and self._place.as_json(),
                },
            )
