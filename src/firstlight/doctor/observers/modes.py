"""In which mode each root learns: what was switched by train() and eval(), and when."""

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import nn

from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.places import Place

_LOOKED = 12  # steps at which all modules of a root are looked through; then only the mode of the root itself is


class _Root:
    """One root: how often it learned in which mode."""

    def __init__(self, module: nn.Module, gone: Callable[[Any], None]) -> None:
        self.module = weakref.ref(module, gone)
        self.kind = type(module).__name__
        self.sensitive = [weakref.ref(one) for one in module.modules() if _differs(one)]
        self.kinds = sorted({type(one).__name__ for one in module.modules() if _differs(one)})
        self.learned = self.quiet = 0  # backward passes with the root in training and in evaluation mode
        self.partly = 0  # of those in evaluation mode, with some layer in training mode
        self.loud_before = False  # whether it learned in training mode before it learned in evaluation mode
        self.tenth = 0
        self.looked = 0
        self.now: bool | None = None  # the mode of its newest call with gradients
        self.switched: Place | None = None  # the line of the newest eval()
        self.first_switched: Place | None = None
        self.forward: Place | None = None
        self.optimized: bool | None = None


class Modes(Observer):
    """Fact `modes_of_training`: one entry for each root that has layers which differ between the two modes."""

    kinds: ClassVar = ("modes_of_training",)
    gaps: ClassVar = frozenset({"step_begins"})
    hears: ClassVar = {"module.eval": ("torch.nn.Module", "eval")}

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._roots: dict[int, _Root | None] = {}
        self._places: weakref.WeakKeyDictionary[nn.Module, Place] = weakref.WeakKeyDictionary()
        self._optimized: set[int] = set()
        self._now: list[_Root] = []

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        module = args[0] if args else None
        place = self.witness.place()
        if isinstance(module, nn.Module) and place is not None:
            self._places[module] = place

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        if self.witness.steps_of(optimizer) < 2:
            self._optimized.update(id(w) for group in optimizer.param_groups for w in group["params"])

    def _of(self, module: nn.Module) -> _Root | None:
        key = id(module)
        if key not in self._roots or ((known := self._roots[key]) is not None and known.module() is not module):
            made = _Root(module, functools.partial(self._forget, key))
            self._roots[key] = made if made.sensitive else None
        return self._roots[key]

    def _forget(self, key: int, _gone: Any) -> None:
        known = self._roots.get(key)
        if known is None or known.learned + known.quiet < 10:
            self._roots.pop(key, None)

    def forward(self, call: Call) -> None:
        if not call.grad:
            return
        root = self._of(call.module)
        if root is None:
            return
        if root.now is None:
            self._now.append(root)
        root.now = call.training
        if call.place is not None and root.forward is None:
            root.forward = call.place

    def backward(self, going: Backward) -> None:
        roots, self._now = self._now, []
        for root in roots:
            training, root.now = root.now, None
            if training:
                root.learned += 1
                continue
            module = root.module()
            if module is None:
                continue
            if not root.quiet:
                root.loud_before = root.learned > 0
                root.first_switched = self._places.get(module)
            root.quiet += 1
            if root.quiet == 10:
                root.tenth = self.witness.step
                root.switched = self._places.get(module)
            if root.looked < _LOOKED:
                root.looked += 1
                layers = [layer for one in root.sensitive if (layer := one()) is not None]
                root.partly += any(layer.training for layer in layers)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Modes of the roots that learned."""
        rows = []
        for root in self._roots.values():
            if root is None or not root.learned + root.quiet:
                continue
            module = root.module()
            held = module is not None and any(id(w) in self._optimized for w in module.parameters())
            rows.append({
                "root": root.kind,
                "layers": root.kinds,
                "training": root.learned,
                "evaluation": root.quiet,
                "partly": root.partly,
                "after_training": root.loud_before,
                "optimized": held or module is None,
                "step": root.tenth,
                "switched": root.first_switched and root.first_switched.as_json(),
                "forward": root.forward and root.forward.as_json(),
            })  # fmt: skip
        if rows:
            yield "modes_of_training", rows


def _differs(module: nn.Module) -> bool:
    """Whether a layer computes something else in training than in evaluation."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.track_running_stats
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        return bool(module.dropout)
    return isinstance(module, nn.RReLU)
