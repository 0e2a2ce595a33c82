"""`trace`: the graph of one forward pass of a model, without a trace left in it."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from firstlight.errors import FirstlightError
from firstlight.graph.failure import translated
from firstlight.graph.operations import Graph
from firstlight.graph.tracer import Tracer
from firstlight.train.check import require_model
from firstlight.train.randomness import borrowed_randomness


def trace(model: nn.Module, *inputs: Any, loss: Callable[[Any], Any] | None = None, **named: Any) -> Graph:
    """Run a model once and return the graph that PyTorch built: operations, modules, shapes, and the way back.

    Nothing about the model changes: not its weights, gradients, statistics (BatchNorm), carried states or mode, nor any
    random generator. It runs in the mode that it is in, and under `torch.no_grad()` the graph has no way back.

    Args:
        model: Any module.
        inputs: What its `forward` takes: tensors, dictionaries, tuples, or anything else, such as trees.
        loss: Also part of the graph: a function of what the model returns, as in
            `lambda outputs: nn.functional.cross_entropy(outputs, labels)`.
        named: What its `forward` takes by name.

    Returns:
        The graph. It refers to no tensor, so it may be kept.

    Raises:
        NotAModel: Something else than a module was given.
        FeaturesMismatch: A layer and what reaches it disagree about size.
        NumbersMismatch: Weights and inputs are numbers of different kinds.
        ForwardFailed: The forward pass fails in another way. Each of these has `graph`: what ran until then.

    Example:
        >>> import torch
        >>> graph = trace(nn.Linear(3, 2), torch.zeros(5, 3), loss=torch.Tensor.sum)
        >>> graph.edges, [node.name for node in graph.nodes][-1]
        (((0, 1),), 'SumBackward0')
    """
    graph, error = watched(model, inputs, named, loss)
    if error is None:
        return graph
    told = translated(graph, error, inputs[0] if len(inputs) == 1 else inputs or named)
    if told is None:
        raise error
    told.graph = graph  # type: ignore[attr-defined]
    raise told from error


def watched(
    model: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], loss: Callable[[Any], Any] | None = None
) -> tuple[Graph, Exception | None]:
    """Run a model under a tracer. What it raised comes as a value, and the operation as `graph.failed`."""
    require_model(model)
    if any(is_lazy(tensor) for tensor in [*model.parameters(), *model.buffers()]):
        model = copy.deepcopy(model)  # its first call gives it weights
    tracer, error = Tracer(), None
    with untouched(model):
        inputs, named = own_copy(inputs), own_copy(named)
        with tracer:
            try:
                outputs = model(*inputs, **named)
                if loss is not None:
                    loss(outputs)
            except Exception as raised:  # noqa: BLE001 (told or raised again by the caller)
                error = raised
    graph = tracer.graph()
    if error is None or tracer.error is not error:
        graph.failed = None  # what the model caught itself
    if error is not None and isinstance(error, FirstlightError):
        raise error
    return graph, error


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """A block in which a model may run, and after which it is as it was.

    Its buffers, and tensors that it keeps as attributes (a carried state), are copies inside the block; afterwards the
    very same objects stand there again. So no version counter moves either, and a graph of the learner's that is still
    waiting for its backward() remains valid.

    Example:
        >>> layer = nn.BatchNorm1d(2)
        >>> with untouched(layer):
        ...     _ = layer(10 + 0 * __import__("torch").randn(4, 2))
        >>> layer.running_mean.tolist(), int(layer.num_batches_tracked)
        ([0.0, 0.0], 0)
    """
    before: list[tuple[dict[str, Any], dict[str, Any]]] = []
    contents: list[tuple[Any, Any]] = []
    gradients = [(p, p.grad) for p in model.parameters()]
    weights = [
        (weight, weight.detach().clone())
        for module in model.modules()
        if getattr(module, "max_norm", None) is not None
        and isinstance(weight := module._parameters.get("weight"), Tensor)
    ]
    copies: dict[int, Any] = {}
    for module in model.modules():
        if isinstance(module, nn.Module) and type(module).__module__.startswith("torch.jit"):
            continue  # holds everything in C++
        before.append((module.__dict__, dict(module.__dict__)))
        for name, held in list(module.__dict__.items()):
            if isinstance(held, Tensor) and not isinstance(held, nn.Parameter):
                module.__dict__[name] = _copied(held, copies)
            elif name == "_buffers":
                module.__dict__[name] = type(held)((key, _copied(value, copies)) for key, value in held.items())
            elif type(held) in (list, dict, set):
                contents.append((held, held.copy()))
    try:
        for parameter, _gradient in gradients:
            parameter.grad = None  # forward() may call backward(): what is added goes to a new one
        with borrowed_randomness():
            yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for attributes, values in before:
            attributes.clear()
            attributes.update(values)
        for held, content in contents:
            _refill(held, content)
        for weight, value in weights:
            weight.data.copy_(value)  # an embedding with max_norm shortens its rows as it looks them up


def _copied(held: Any, copies: dict[int, Any]) -> Any:
    """A tensor of its own with the same numbers; one that stands in two places stays one."""
    if not isinstance(held, Tensor) or is_lazy(held):
        return held
    if id(held) not in copies:
        copies[id(held)] = held.detach().clone().requires_grad_(held.requires_grad)
    return copies[id(held)]


def _refill(held: Any, content: Any) -> None:
    if isinstance(held, list):
        held[:] = content
    else:
        held.clear()
        held.update(content)


def own_copy(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """Inputs whose tensors the model may change in place; what is no tensor stays what it is."""
    copies = {} if copies is None else copies
    if isinstance(value, Tensor):
        return _copied(value, copies)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(own_copy(part, copies) for part in value))
    if type(value) in (list, tuple):
        return type(value)(own_copy(part, copies) for part in value)
    if isinstance(value, dict) and type(value).__module__ in ("builtins", "collections"):
        changed = copy.copy(value)
        changed.update((key, own_copy(part, copies)) for key, part in value.items())
        return changed
    return value
