"""How backward passes add up to steps, terms that have no graph, and optimizers that were given no closure."""

import traceback
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

from torch import Tensor
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Observer
from firstlight.doctor.places import Place
from firstlight.graph.source import kind_of_file


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
        self._kind = ""  # of the newest of them
        self._stepped: Place | None = None
        self._lines: set[tuple[str, int]] = set()  # of the backward passes that were looked at
        self._touched = 0  # steps before which somebody changed the gradients: divided, clipped
        self._weight: weakref.ref[Tensor] | None = None
        # Its gradient as the newest pass left it: which object, which version.
        self._left: tuple[int, int] | None = None
        self._constant = 0  # losses that something without a graph was added to

    def missed(self) -> None:
        self._since, self._left = 0, None

    def backward(self, going: Backward) -> None:
        self._since += 1
        self._left = self._gradient()

    def _gradient(self) -> tuple[int, int] | None:
        weight = self._weight() if self._weight is not None else None
        gradient = weight.grad if weight is not None else None
        return None if gradient is None else (id(gradient), gradient._version)

    def step_begins(self, optimizer: Optimizer) -> None:
        if self._left is not None and self._gradient() != self._left:
            self._touched += 1
        elif self._weight is None or self._weight() is None:
            weights = [w for group in optimizer.param_groups for w in group["params"]]
            found = next((w for w in weights if w.grad is not None), None)
            self._weight = weakref.ref(found) if found is not None else None

    def backward_begins(self, going: Backward) -> None:
        if not going.close or len(going.losses) != 1 or going.losses[0].grad_fn is None:
            return
        self._place = self._place or going.place
        if going.place is not None:
            self._lines.add((going.place.file, going.place.line))
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
        self._kind = type(optimizer).__name__
        if self._stepped is None:
            self._stepped = self.witness.place()
        self._steps += 1
        self._counts[self._since] = self._counts.get(self._since, 0) + 1
        self._since = 0

    def failed(self, error: BaseException) -> None:
        """An exception that says `closure`."""
        if isinstance(error, TypeError) and "closure" in str(error) and "step()" in str(error):
            place = None
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.lineno is not None and kind_of_file(frame.filename) == "own":
                    place = Place.at(frame.filename, frame.lineno, frame.name)
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
                    "optimizer": self._kind,
                    "stepped": self._stepped and self._stepped.as_json(),
                    "lines": len(self._lines),
                    "touched": self._touched,
                },
            )
