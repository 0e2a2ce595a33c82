"""A training step rehearsed on fake tensors: they have a shape, a number type and a device, and hold no numbers.

The model and its optimizer are copied into fakes, so nothing of the learner's is touched. A dispatch mode hears of
each operation below autograd, forward, backward and in the optimizer, and adds up the tensors that are alive.
"""

import bisect
import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves, tree_map_only

from firstlight.graph.workspace import hidden, workspace
from firstlight.train.alive import Alive


@dataclass
class Peak:
    """The moment at which most is held.

    Attributes:
        bytes: Above the model and the batch.
        phase: "forward", "backward" or "optimizer".
        module: Path of the module that ran, or whose backward pass ran; "" for the model itself.
        operation: PyTorch's name of the operation.
    """

    bytes: int = 0
    phase: str = "forward"
    module: str = ""
    operation: str = ""


@dataclass
class Held:
    """What a rehearsal found; bytes by path of module.

    Attributes:
        peak: The highest moment.
        update: The highest moment of the optimizer's step.
        parameters: Parameters, once each, at the module that comes first.
        buffers: Buffers, likewise.
        gradients: Gradients of parameters.
        state: What the optimizer keeps.
        saved: What the forward pass leaves behind for the backward pass.
        batch: Bytes of the batch.
    """

    peak: Peak = field(default_factory=Peak)
    update: Peak = field(default_factory=Peak)
    parameters: dict[str, int] = field(default_factory=dict)
    buffers: dict[str, int] = field(default_factory=dict)
    gradients: dict[str, int] = field(default_factory=dict)
    state: dict[str, int] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)
    batch: int = 0


class Rehearsal:
    """A model, its optimizer and a batch as fakes, ready to be run with any number of samples.

    Args:
        model: The learner's; it is copied, not run.
        optimizer: One for the model's parameters, or what makes one from parameters, or None.
        device: Where the model is to be.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer | Callable[[Any], Optimizer] | None, device: torch.device
    ) -> None:
        self.mode = FakeTensorMode()
        self.device = device
        pair = (model, optimizer if isinstance(optimizer, Optimizer) else None)
        with FakeCopyMode(self.mode):
            self.model, self._given = copy.deepcopy(pair)
        with self.mode:
            self._move()
        self._make = optimizer if not isinstance(optimizer, Optimizer) else None
        self._state = {} if self._given is None else {of: dict(kept) for of, kept in self._given.state.items()}

    def run(
        self, step: Callable[[nn.Module, Any], Tensor | None], batch: Any, *, train: bool, before: "Held | None" = None
    ) -> Held:
        """Run one step, or one forward pass, and say what is held.

        The optimizer makes its state in the first step: a later one begins with it, so it is added to what forward and
        backward take.

        Args:
            step: Gives the loss of a batch, or None where nothing is to be learned.
            batch: Fakes, from `fakes`.
            train: Whether to go back and make the optimizer's step, too.
            before: What a run with another batch found: the optimizer need not be run again.
        """
        held, watch = Held(), _Watch()
        model = self.model.train(train)
        for tensor in [*model.parameters(), *model.buffers(), *tree_leaves(batch)]:
            watch.know(tensor, count=False)
        held.batch = _bytes_of(tree_leaves(batch))
        with self.mode, torch.autograd.set_multithreading_enabled(False), _named(model, watch), watch:
            optimizer = self._optimizer(watch) if train and before is None else None
            there, known = watch.live, set(watch.known)
            with torch.set_grad_enabled(train):
                loss = step(model, batch)
            held.saved = watch.saved(known)
            if loss is not None and loss.requires_grad:
                watch.phase = "backward"
                torch.autograd.backward(loss)
            held.gradients = _by_module(model, lambda weight: [weight.grad])
            held.peak = watch.peak
            if optimizer is not None:
                watch.phase, watch.peak = "optimizer", Peak()
                optimizer.step()
                held.update, state = watch.peak, optimizer.state
                held.state = _by_module(model, lambda weight: tree_leaves(dict(state.get(weight, {}))))
                held.peak.bytes += max(0, sum(held.state.values()) - there)
            elif before is not None:
                held.state, held.update = before.state, before.update
                held.peak.bytes += sum(held.state.values())
            model.zero_grad()
        if held.update.bytes > held.peak.bytes:
            held.peak = held.update
        held.parameters = _by_module(model, lambda weight: [weight])
        held.buffers = _own(model.named_buffers())
        return held

    def fakes(self, batch: Any, samples: int | None = None, of: int | None = None) -> Any:
        """A batch as fakes.

        Args:
            batch: Tensors, in lists, tuples and dictionaries.
            samples: How many it is to have.
            of: How many it has: tensors whose first side is this one change.
        """

        def fake(value: Tensor) -> Tensor:
            shape = list(value.shape)
            if samples is not None and shape and shape[0] == of:
                shape[0] = samples
            # The same strides: a batch with its channels last stays so.
            dense = value.stride() if value.is_contiguous() or _is_dense(value) else None
            if dense is None:
                return torch.empty(shape, dtype=value.dtype, device=self.device)
            return torch.empty_strided(shape, dense, dtype=value.dtype, device=self.device)

        with self.mode:
            return tree_map_only(Tensor, fake, batch)

    def _move(self) -> None:
        """Put the copy on its device. What is shared stays shared."""
        moved: dict[int, nn.Parameter] = {}
        for weight in self.model.parameters():
            weight.grad = None
            if weight.device != self.device and not is_lazy(weight):
                there = torch.empty_like(weight, device=self.device)
                moved[id(weight)] = nn.Parameter(there, requires_grad=weight.requires_grad)
        for module in self.model.modules():
            for name, held in list(module._parameters.items()):
                if id(held) in moved:
                    setattr(module, name, moved[id(held)])  # recurrent layers take note of it
            for name, value in list(module._buffers.items()):
                if value is not None and not is_lazy(value) and value.device != self.device:
                    module._buffers[name] = torch.empty_like(value, device=self.device)
        if self._given is not None and moved:
            for group in self._given.param_groups:
                group["params"] = [moved.get(id(weight), weight) for weight in group["params"]]
            kept = [(moved.get(id(weight), weight), state) for weight, state in self._given.state.items()]
            self._given.state.clear()
            self._given.state.update(
                (weight, {name: self._there(value) for name, value in state.items()}) for weight, state in kept
            )

    def _there(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.ndim and value.device != self.device:
            return torch.empty_like(value, device=self.device)
        return value

    def _optimizer(self, watch: "_Watch") -> Optimizer | None:
        """As it was: what the last run made it keep is gone, what it kept before counts."""
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        if self._make is not None and weights:
            return self._make(weights)
        if self._given is not None:
            self._given.state.clear()
            self._given.state.update({of: dict(kept) for of, kept in self._state.items()})
            for value in tree_leaves([list(kept.values()) for kept in self._state.values()]):
                watch.know(value, count=True)
        return self._given


def _is_dense(value: Tensor) -> bool:
    sides = sorted(zip(value.stride(), value.shape, strict=True))
    step = 1
    for stride, side in sides:
        if side != 1 and stride != step:
            return False
        step *= side
    return bool(value.ndim and value.stride(0) == max(value.stride()))


class _Watch(Alive):
    """Adds up the tensors that are alive, and remembers when it was most."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = "forward"
        self.peak = Peak()
        self.inside: list[str] = []  # the modules that run, innermost last
        self._starts: list[int] = []  # numbers of autograd nodes, and which module made those from there on
        self._modules: list[str] = []

    def mark(self) -> str:
        """For which module."""
        return self.module()

    def module(self) -> str:
        """Whose forward pass runs, or whose backward pass."""
        if self.inside:
            return self.inside[-1]
        node: Any = torch._C._current_autograd_node()
        if node is None:  # between two nodes, and in the optimizer
            return ""
        place = bisect.bisect_right(self._starts, node._sequence_nr()) - 1
        return self._modules[place] if 0 <= place < len(self._modules) - 1 else ""

    def turn(self) -> None:
        """Nodes made from here on belong to the module that is now innermost."""
        self._starts.append(torch._C._autograd._get_sequence_nr())
        self._modules.append(self.inside[-1] if self.inside else "")

    def saved(self, before: set[int]) -> dict[str, int]:
        """What came into being since and is still there, by module."""
        found: dict[str, int] = {}
        for key, (_reference, size, module) in list(self.known.items()):
            if key not in before and size:
                found[module] = found.get(module, 0) + size
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "prim":
            return func(*args, **(kwargs or {}))
        if self.phase == "optimizer" and func is torch.ops.aten._local_scalar_dense.default:
            return 0.5  # the number of the step, which optimizers read to compute with it; 1 may lead to x / (1 - 1)
        out = func(*args, **(kwargs or {}))
        more = hidden(func, args)
        for value in tree_leaves(out):
            self.know(value, count=True, more=more if more and value.numel() <= 1 else 0)
        now = self.live + workspace(func, args, out)
        if now > self.peak.bytes:
            self.peak = Peak(now, self.phase, self.module(), func.overloadpacket.__name__)
        return out


@contextmanager
def _named(model: nn.Module, watch: _Watch) -> Iterator[None]:
    """A block in which the watch hears which module of the copy runs.

    Hooks would do that, but transformers take another, slower way where they see any.
    """
    wrapped = []

    def heard(path: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(forward)
        def run(*args: Any, **kwargs: Any) -> Any:
            watch.inside.append(path)
            watch.turn()
            try:
                return forward(*args, **kwargs)
            finally:
                watch.inside.pop()
                watch.turn()

        return run

    for path, module in model.named_modules():
        if not isinstance(module, torch.jit.ScriptModule):
            wrapped.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = heard(path, module.forward)
    try:
        yield
    finally:
        for module, before in wrapped:
            if before is None:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = before


def _by_module(model: nn.Module, tensors: Callable[[nn.Parameter], list[Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, weight in model.named_parameters():  # a shared one once
        path = name.rpartition(".")[0]
        if count := _bytes_of(tensors(weight)):
            found[path] = found.get(path, 0) + count
    return found


def _own(named: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, value in named:
        path = name.rpartition(".")[0]
        found[path] = found.get(path, 0) + value.nbytes
    return found


def _bytes_of(values: list[Any]) -> int:
    storages = {}
    for value in values:
        if isinstance(value, Tensor):
            storage = value.untyped_storage()
            storages[storage._cdata] = storage.nbytes()
    return sum(storages.values())
