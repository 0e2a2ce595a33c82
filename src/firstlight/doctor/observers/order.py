"""In which order zero_grad, backward and step come, for each optimizer between its own steps."""

import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

from torch import Tensor
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Observer
from firstlight.doctor.places import Place


class _Steps:
    """What is known of one optimizer: counts, and the state of one of its gradients, which stands for all."""

    def __init__(self, optimizer: Optimizer, place: Place | None) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.kind = type(optimizer).__name__
        self.made = place
        self.stepped: Place | None = None
        self.backward: Place | None = None
        self.steps = self.uncleared = self.first_uncleared = 0
        self.since = 0  # backward passes since its last step
        self.after: tuple[int, int] | None = None  # its gradient after the last step: which object, which version
        self.before: tuple[int, int] | None = None
        self.witness: weakref.ref[Tensor] | None = None

    def gradient(self) -> tuple[int, int] | None:
        weight = self.witness() if self.witness is not None else None
        gradient = weight.grad if weight is not None else None
        return None if gradient is None else (id(gradient), gradient._version)

    def choose(self) -> None:
        """The parameter that stands for all: the first that has a gradient."""
        optimizer = self.optimizer()
        held = [w for group in optimizer.param_groups for w in group["params"]] if optimizer is not None else []
        found = next((w for w in held if w.grad is not None), None)
        self.witness = weakref.ref(found) if found is not None else None


class Order(Observer):
    """Fact `order_of_steps`: a list with one entry for each optimizer, in the order in which they were made."""

    kinds: ClassVar = ("order_of_steps",)

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._known: dict[int, _Steps] = {}

    def optimizer_made(self, optimizer: Optimizer, place: Place | None) -> None:
        self._known[id(optimizer)] = _Steps(optimizer, place)

    def _of(self, optimizer: Optimizer) -> _Steps:
        known = self._known.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            known = self._known[id(optimizer)] = _Steps(optimizer, None)
        return known

    def backward_begins(self, going: Backward) -> None:
        for one in self._known.values():
            one.before = one.gradient()

    def backward(self, going: Backward) -> None:
        for one in self._known.values():
            if one.witness is None or one.witness() is None:
                one.choose()
            after = one.gradient()
            if after is None or after == one.before:
                continue  # this loss is another optimizer's
            if not one.since and one.steps and one.before is not None and one.before == one.after:
                one.uncleared += 1
                if one.uncleared == 3:
                    one.first_uncleared = self.witness.step
            one.since += 1
            if going.place is not None:
                one.backward = going.place

    def step(self, optimizer: Optimizer) -> None:
        one = self._of(optimizer)
        one.steps += 1
        one.since = 0
        one.after = one.gradient()
        if one.steps <= 2:
            one.stepped = self.witness.place()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """One entry for each optimizer that made a step."""
        rows = [
            {
                "optimizer": one.kind,
                "steps": one.steps,
                "uncleared": one.uncleared,
                "step": one.first_uncleared,
                "made": one.made and one.made.as_json(),
                "stepped": one.stepped and one.stepped.as_json(),
                "backward": one.backward and one.backward.as_json(),
            }
            for one in self._known.values()
            if one.steps
        ]
        if rows:
            yield "order_of_steps", rows
