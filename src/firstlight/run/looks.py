"""Closer looks at single steps of a loop: at the first ones, then ever more rarely, within a share of the time.

What a look finds is written as facts of its step (docs/run.md lists them). Here are the weights, their gradients and
how far a step moved them; the room above adds the graph, the activations and the memory (`makers`).

Shapes: P parameters.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from firstlight.run.recorder import Recorder

# Modules that take another, faster way in evaluation unless somebody listens to the functions inside of them.
TWO_WAYS = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
_MOST_CLONED = 256 * 2**20  # bytes of weights that are copied to see how far a step moves them


class Look(Protocol):
    """Something that looks at single steps. All of it is called in the loop's thread."""

    pace: "Pace"

    def begin(self, step: int) -> bool:
        """A step to look at begins: whatever its loop does from here on. False where nothing can be seen now."""

    def phase(self, name: str) -> None:
        """`forward`, `backward` or `optimizer` begins; `closure` is an optimizer that runs the loop's part itself."""

    def end(self) -> None:
        """The step is complete: write down what was seen."""

    def drop(self) -> None:
        """The step will not be completed, or not here: forget it, and leave no trace in torch."""


makers: list[Callable[["Recorder", Collection[int]], Look]] = []
"""Each is called by a recorder that begins, with the steps to look at whatever that costs."""


class Pace:
    """Which steps to look at.

    Args:
        share: Of the time of all steps that looks may cost.
        growth: The next look is so much later than the step of the last, as a share of that step.
        free_s: Seconds that looks may cost besides, so that the first steps are seen.
        always: Steps to look at whatever that costs.

    Example:
        >>> pace = Pace(share=0.01, growth=0.5, free_s=0.1)
        >>> seen = []
        >>> for step in range(100):
        ...     if pace.due(step, elapsed_s=0.1 * step):
        ...         pace.took(step, 0.001)
        ...         seen.append(step)
        >>> seen
        [0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 42, 63, 94]
    """

    def __init__(self, *, share: float, growth: float, free_s: float = 0.0, always: Collection[int] = ()) -> None:
        self.cost_s = 0.0
        self._share, self._growth, self._free_s, self._always = share, growth, free_s, frozenset(always)
        self._next = 0
        self._first_s: float | None = None
        self._newest_s = 0.0

    def due(self, step: int, elapsed_s: float) -> bool:
        """Whether to look at this step.

        Args:
            step: Counted from 0.
            elapsed_s: Seconds that all steps so far have taken.
        """
        if step in self._always:
            return True
        if step < self._next:
            return False
        spent = self.cost_s - (self._first_s or 0.0) + self._newest_s
        return step < 2 or spent <= self._free_s + self._share * elapsed_s

    def soonest(self, step: int) -> int:
        """The next step at which it is worth to ask, where this one is not due: asking at each costs too."""
        later = max(self._next, step + (1 if step < 64 else 16))
        return min([later, *(one for one in self._always if one > step)])

    def took(self, step: int, seconds: float) -> None:
        """A look at a step is over, and cost so much."""
        self.cost_s += seconds
        if self._first_s is None:  # in which all is done for the first time; it says nothing about the next ones
            self._first_s, seconds = seconds, 0.0
        self._newest_s = seconds
        self._next = step + max(1, int(step * self._growth))


class Weights:
    """Norms of weights and gradients, and how far an optimizer's step moves each weight, relative to its size.

    Facts: `parameters` on change (names, shapes, whether trained, which optimizer holds each), and `weights` in the
    same order: `grad`, `weight` and `update` (norm of the change by norm of the weight before), None where there is
    none.
    """

    def __init__(self, recorder: "Recorder", pace: Pace) -> None:
        self.pace = pace
        self._recorder, self._run = recorder, recorder.run
        self._told: dict[str, Any] = {}
        self._step: int | None = None
        self._names: list[str] = []
        self._weights: list[Tensor] = []
        self._clones: dict[int, Tensor] = {}
        self._sizes: list[Any] = []
        self._gradients: list[Any] = []
        self._own_s = 0.0

    def begin(self, step: int) -> bool:
        """See `Look.begin`."""
        self.drop()
        self._step, self._own_s = step, 0.0
        return True

    def phase(self, name: str) -> None:
        """The gradients are complete where the optimizer begins; of several optimizers, where the first does."""
        if name not in ("optimizer", "closure") or self._step is None or self._names:
            return
        began = perf_counter()
        with torch.no_grad(), unheard():
            self._name()
            self._sizes = _norms(self._weights)
            self._gradients = self._norms_of_gradients() if name == "optimizer" else []
            room = _MOST_CLONED
            for at, weight in enumerate(self._weights):
                if weight.requires_grad and (room := room - weight.nbytes) >= 0 and _is_plain(weight):
                    self._clones[at] = weight.detach().clone()
        self._own_s += perf_counter() - began

    def end(self) -> None:
        """See `Look.end`."""
        step, self._step = self._step, None
        if step is None or not self._names:
            return
        began = perf_counter()
        with torch.no_grad(), unheard():
            moved = _norms([weight.detach() - self._clones[at] if at in self._clones else None
                            for at, weight in enumerate(self._weights)])  # fmt: skip
            found = self._gradients or self._norms_of_gradients()
            sizes, gradients, updates = _read([self._sizes, found, moved])
        update = [
            None if by is None else 0.0 if by == 0 else by / size if size else None
            for by, size in zip(updates, sizes, strict=True)
        ]
        parameters = {
            "names": self._names,
            "shapes": [list(weight.shape) for weight in self._weights],
            "trained": [weight.requires_grad for weight in self._weights],
            "optimizer": self._whose(),
        }
        if parameters != self._told:
            self._told = parameters
            self._run.add_fact(step, "parameters", parameters)
        norms = {"grad": gradients, "weight": sizes, "update": update}
        self._run.add_fact(step, "weights", {kind: [rounded(one) for one in values] for kind, values in norms.items()})
        self.drop()
        self.pace.took(step, self._own_s + perf_counter() - began)

    def drop(self) -> None:
        """See `Look.drop`."""
        self._step, self._clones, self._names, self._weights = None, {}, [], []
        self._sizes, self._gradients = [], []

    def _norms_of_gradients(self) -> list[Any]:
        return _norms([weight.grad for weight in self._weights])

    def _whose(self) -> list[int | None]:
        """Which optimizer holds each parameter; a parameter that none holds does not learn."""
        held = {
            id(weight): place
            for place, optimizer in enumerate(self._recorder.optimizers)
            for group in optimizer.param_groups
            for weight in group["params"]
        }
        return [held.get(id(weight)) for weight in self._weights]

    def _name(self) -> None:
        """The parameters as they are now: layers may be added while a loop runs."""
        named: dict[int, tuple[str, Tensor]] = {}
        several = len(self._recorder.models) > 1
        for place, model in enumerate(self._recorder.models):
            prefix = f"{type(model).__name__}/{place + 1}." if several else ""
            for name, weight in model.named_parameters():
                named.setdefault(id(weight), (prefix + name.replace("_orig_mod.", ""), weight))
        if not named:
            held = (
                weight for one in self._recorder.optimizers for group in one.param_groups for weight in group["params"]
            )
            for place, weight in enumerate(held):
                named.setdefault(id(weight), (f"parameter {place}", weight))
        real = [(name, weight) for name, weight in named.values() if not nn.parameter.is_lazy(weight)]
        self._names = [name for name, _weight in real]
        self._weights = [weight for _name, weight in real]


def may_take_two_ways(model: nn.Module) -> bool:
    """Whether something in it would compute in another way, and round differently, if functions were listened to."""
    return any(isinstance(module, TWO_WAYS) and not module.training for module in model.modules())


@contextmanager
def unheard() -> Iterator[None]:
    """A block that no other look, and no mode of anybody else's, hears of: what we compute is not part of the step."""
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        yield


# Private, and so guarded; without it, a checkpointed loss on an accelerator would count twice.
_current_backward: Callable[[], int] = getattr(torch._C, "_current_graph_task_id", lambda: -1)


def in_backward() -> bool:
    """Whether a backward pass runs in this thread. When it ends, it puts the stacks of modes back as it found them."""
    return _current_backward() != -1


def rounded(value: float | None) -> float | None:
    """A number with the four digits that a look is worth on disk.

    Example:
        >>> rounded(0.123456), rounded(None), rounded(float("nan"))
        (0.1235, None, nan)
    """
    return value if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def _is_plain(tensor: Any) -> bool:
    return type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided


def _norms(tensors: Sequence[Any]) -> list[Any]:
    """Their norms as tensors without dimensions, None for what is none or has none."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for at, tensor in enumerate(tensors):
        if not _is_plain(tensor) or tensor.is_meta:
            continue
        if (tensor.is_floating_point() or tensor.is_complex()) and tensor.numel():
            groups.setdefault((tensor.device, tensor.dtype), []).append(at)
    found: list[Any] = [None] * len(tensors)
    for places in groups.values():
        for at, norm in zip(places, torch._foreach_norm([tensors[at].detach() for at in places]), strict=True):
            found[at] = norm
    return found


def _read(lists: list[list[Any]]) -> list[list[float | None]]:
    """The numbers of all these tensors, with one wait for each device."""
    tensors: dict[torch.device, list[Tensor]] = {}
    for norm in (norm for values in lists for norm in values if norm is not None):
        tensors.setdefault(norm.device, []).append(norm)
    numbers: dict[int, float] = {}
    for held in tensors.values():
        read = torch.stack([norm.detach().float().reshape(()) for norm in held]).tolist()
        numbers.update(zip(map(id, held), read, strict=True))
    return [[None if norm is None else numbers[id(norm)] for norm in values] for values in lists]
