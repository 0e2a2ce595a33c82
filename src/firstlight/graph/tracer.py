"""Watching a forward pass: every function of torch that gives tensors, every call of a module, every node of backward.

How it is seen, and why it changes nothing:

- A `TorchFunctionMode` hears of each function before it runs, and runs it unchanged. It stands at the bottom of the
  stack of modes, so that blocks of the learner's (`with torch.device("cpu")`) can begin and end as they like.
- `nn.Module.__call__` is wrapped as long as somebody traces. Global forward hooks would do, but torch.compile warns of
  them, compiles the model anew, and does not run them when a model compiles itself.
- Tensors are known by weak references, and backward nodes by a mark in their `metadata`: nothing is kept alive.
"""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn, overrides
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from firstlight.graph.calling import as_json, bind, name_of, tensors_in
from firstlight.graph.operations import Call, Graph, Node, Operation, Source, Value
from firstlight.graph.source import kind_of_file, own_frame, read_source
from firstlight.run.looks import in_backward, unheard

# Attributes that are tensors of their own; all others only ask for something.
_VIEWS = {"T", "mT", "H", "mH", "real", "imag", "data"}
# Functions that give back what they were given where there is nothing to do.
_OFTEN_NOTHING = {
    "to", "type", "type_as", "float", "double", "half", "bfloat16", "long", "int", "bool", "contiguous", "cpu", "cuda",
    "expand_as", "resolve_conj", "resolve_neg", "requires_grad_", "retain_grad", "broadcast_tensors",
}  # fmt: skip
_NEVER = {"backward", "requires_grad_", "retain_grad", "is_leaf", "stride", "size", "unpack_dual"}
_MARK = "firstlight.graph"
_MOST_NODES = 10_000  # that one operation may leave behind; ends a walk that lost its way
_LEVELS, _FRAMES = 8, 10  # each so many modules inside of each other; Python frames that we add to each of them
_tokens = itertools.count()
_here = threading.local()  # the tracers of each thread, innermost last
_lock = threading.Lock()
_wrapped = 0  # how many tracers need the wrapper around nn.Module.__call__
_original: Callable[..., Any] | None = None
_stopped: list["Tracer"] = []  # those that have left something behind; see `sweep`
_forks_watched = False


class _Ears(TorchFunctionMode):
    """Hands every function of torch to a tracer."""

    def __init__(self, tracer: "Tracer") -> None:
        super().__init__()
        self.tracer = tracer

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():  # what torch.compile reads here must be nothing but the call
            return func(*args, **kwargs)
        return self.tracer._run(func, args, kwargs)


class Tracer:
    """Notes what a thread computes between `start()` and `stop()`, and changes nothing about it.

    The same bits come out, from the same random numbers; modes, hooks and memory are left as they were found. It may be
    used for single steps of a loop: a new tracer for each.

    Args:
        step: Of which training step the graph will be.

    Attributes:
        failed: The operation in which an exception began, if one did.
        error: That exception.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> with Tracer() as tracer:
        ...     loss = layer(torch.zeros(1, 3)).sum()
        >>> [operation.name for operation in tracer.graph()]
        ['zeros', 'linear', 'sum']
    """

    def __init__(self, *, step: int | None = None) -> None:
        self.step = step
        self.failed: Operation | None = None
        self.error: BaseException | None = None
        self._ears = _Ears(self)
        self._token = next(_tokens)
        self._running = False
        self._thread = threading.current_thread()
        self._first_node = 0
        self._operations: list[dict[str, Any]] = []
        self._calls: list[Call] = []
        self._stack: list[tuple[int, nn.Module]] = []
        self._made: Any = WeakTensorKeyDictionary()  # tensor -> (operation, which of its results)
        self._given: Any = WeakTensorKeyDictionary()  # what a model was given
        self._names: Any = WeakTensorKeyDictionary()  # parameters and buffers -> ("parameter", name)
        self._times: dict[int, int] = {}
        self._roots: list[tuple[nn.Module, str, dict[int, str]]] = []
        self._parameters: dict[str, int] = {}
        self._nodes: dict[int, dict[str, Any]] = {}
        self._storages = _Storages()

    def __enter__(self) -> "Tracer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to note what this thread computes. A second call changes nothing."""
        if self._running:
            return
        sweep()
        self._running, self._thread = True, threading.current_thread()
        self._first_node = _newest_node()
        self._enter_thread()

    def stop(self) -> None:
        """Stop, wherever this is called and whatever blocks were begun since. A second call changes nothing.

        From here on nothing is noted. What cannot be taken away now, since another thread has it or a function that was
        heard of still runs, is taken away at the next call of a module in that thread.
        """
        if not self._running:
            return
        self._running = False
        _stopped.append(self)
        sweep()

    def _enter_thread(self) -> None:
        _watch_forks()
        tracers_here().append(self)
        _wrap_modules()
        _put_at_bottom(self._ears)

    def _leave_thread(self) -> bool:
        """Take the mode away. False where PyTorch would put it back: a function that it heard of, or backward, runs."""
        if in_backward() or not _take_away(self._ears):
            return False
        tracers_here().remove(self)
        _unwrap_modules()
        return True

    def graph(self) -> Graph:
        """What was noted, as values that refer to no tensor and no module."""
        made = [self._finished(row) for row in self._operations]
        return Graph(made, self._calls, parameters=self._parameters, step=self.step, failed=self.failed)

    # What happens inside of a function.

    def _run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._running:
            return func(*args, **kwargs)
        name = name_of(func)
        is_getter = getattr(func, "__name__", "") in ("__get__", "__set__", "__delete__")
        if name in _NEVER or (is_getter and (name not in _VIEWS or func.__name__ != "__get__")):
            return func(*args, **kwargs)
        given = list(tensors_in([args, kwargs]))
        before = self._look_before(given)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._note_failure(name, func, args, kwargs, given, error)
            raise
        self._look_after(name, func, args, kwargs, given, before, result)
        return result

    def _look_before(self, given: list[Tensor]) -> list[int]:
        """What is to be known of the tensors that go in, before the function runs: their versions."""
        before = [_version(tensor) for tensor in given]
        self._meet(given)
        return before

    def _look_after(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        given: list[Tensor], before: list[int], result: Any,
    ) -> None:  # fmt: skip
        made = list(tensors_in(result)) if isinstance(result, (Tensor, list, tuple, dict)) else []
        if name == "setitem":
            made = given[:1]
        if made:
            changed = [at for at, tensor in enumerate(given) if before[at] != _version(tensor)]
            same = any(result is tensor for tensor in given)
            if not (same and not changed and name in _OFTEN_NOTHING):
                self._note(name, func, args, kwargs, given, made, changed)

    def _meet(self, given: list[Tensor]) -> None:
        """Mark where these tensors come from, so that the walk back from the result ends there."""
        for tensor in given:
            node = _grad_fn(tensor)
            if node is None:
                if tensor.is_leaf and tensor.requires_grad:
                    self._storages.ignore(tensor)  # a parameter: held whether there is a backward pass or not
                continue
            if self._known(node) is not None:
                continue
            if _number(node) <= self._first_node:
                node.metadata[_MARK] = (self._token, None, None)  # from before
                continue
            origin = self._made.get(tensor)
            nodes = self._walk(tensor)
            if origin is not None and _is_view(tensor) and self._nodes_name(nodes, "AsStrided"):
                self._add_nodes(
                    self._operations[origin[0]], nodes
                )  # a view whose base was changed: autograd made it anew
            elif nodes:
                self._note_hidden(tensor, nodes, origin)

    def _note(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        given: list[Tensor], made: list[Tensor], changed: list[int],
    ) -> None:  # fmt: skip
        frame, way = own_frame(sys._getframe(3))
        if way:  # the optimizer, the loader of the data, or the inside of what is compiled: no part of the model
            return
        in_place = bool(changed) and any(tensor is given[0] for tensor in made) and 0 in changed
        row = self._row(name, func, args, kwargs, given, frame)
        row["outputs"] = [_value(tensor) for tensor in made]
        row["in_place"] = in_place
        if in_place and row["inputs"][0].what == "buffer" and not row["inputs"][0].shape:
            return  # BatchNorm counts its batches
        self._add(row, made)
        for at in changed:
            self._made[given[at]] = (row["id"], 0)
            if (base := _base(given[at])) is not None:
                self._made[base] = (row["id"], 0)

    def _add(self, row: dict[str, Any], made: Iterable[Tensor]) -> None:
        row["id"] = len(self._operations)
        self._operations.append(row)
        for at, tensor in enumerate(made):
            self._add_nodes(row, self._walk(tensor))
            self._made[tensor] = (row["id"], at)

    def _row(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        given: list[Tensor], frame: FrameType | None,
    ) -> dict[str, Any]:  # fmt: skip
        bound = bind(func, args, kwargs)
        names: list[str] = []
        for key, value in bound.items():
            names += [key] * sum(1 for _ in tensors_in(value))
        order = {id(tensor): at for at, tensor in reversed(list(enumerate(given)))}
        return {
            "name": name,
            "kind": "operation",
            "inputs": [self._input(tensor, key) for tensor, key in zip(given, names, strict=False)],
            "outputs": [],
            "arguments": {key: as_json(value, lambda tensor: order[id(tensor)]) for key, value in bound.items()},
            "call": self._stack[-1][0] if self._stack else None,
            "source": None if frame is None else (frame.f_code.co_filename, frame.f_lineno),
            "nodes": [],
            "in_place": False,
            "packed": False,
            "error": "",
        }

    def _note_failure(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        given: list[Tensor], error: BaseException,
    ) -> None:  # fmt: skip
        frame, way = own_frame(sys._getframe(2))
        if way or not isinstance(error, Exception):
            return
        row = self._row(name, func, args, kwargs, given, frame)
        row["id"], row["error"] = len(self._operations), str(error).strip()
        for value, tensor in zip(row["inputs"], given, strict=False):
            if (ends := _ends(tensor)) is not None:
                row["arguments"][f"range of {value.name}"] = ends
        self.failed, self.error = self._finished(row), error

    def _input(self, tensor: Tensor, name: str) -> Value:
        value = replace(_value(tensor), name=name)
        origin = self._made.get(tensor)
        node = _grad_fn(tensor)
        mark = self._known(node) if node is not None else None
        if mark is not None and mark[1] is not None and (origin is None or mark[1] > origin[0]):
            origin = (mark[1], 0)  # changed in place through a view of it
        if origin is not None:
            return replace(value, what="operation", origin=origin)
        if (label := self._names.get(tensor)) is not None:
            return replace(value, what=label[0], label=label[1])
        if isinstance(tensor, nn.Parameter):
            return replace(value, what="parameter")
        return replace(value, what="input" if tensor in self._given else "outside")

    def _finished(self, row: dict[str, Any]) -> Operation:
        nodes = tuple(
            Node(number, node["name"], tuple(node["to"]), node["saved"], node["parameter"])
            for number, node in ((number, self._nodes[number]) for number in row["nodes"])
        )
        source: Source | None = None if row["source"] is None else read_source(*row["source"])
        return Operation(
            row["id"], row["name"], tuple(row["inputs"]), tuple(row["outputs"]), row["arguments"], row["call"], source,
            nodes, row["kind"], row["in_place"], row["packed"], row["error"],
        )  # fmt: skip

    # What PyTorch does not show: functions of one's own, compiled models, modules in TorchScript.

    def _note_hidden(self, tensor: Tensor, nodes: list[Any], origin: tuple[int, int] | None) -> None:
        name = _node_name(nodes[0])
        given = []
        if origin is not None:
            before = self._operations[origin[0]]["outputs"][origin[1]]
            given = [replace(before, name="input", what="operation", origin=origin)]
        else:
            for node in nodes:
                for target, _at in node.next_functions:
                    known = self._known(target) if target is not None else None
                    if known is not None and known[1] is not None:
                        value = self._operations[known[1]]["outputs"][0]
                        given.append(replace(value, name="input", what="operation", origin=(known[1], 0)))
        row = self._outside_row(name.removesuffix("Backward").removesuffix("Backward0"), "function", given)
        row["outputs"] = [_value(tensor)]
        if name.startswith("CompiledFunction"):
            row["kind"], row["name"] = "compiled", "compiled"
        self._operations.append(row)
        self._add_nodes(row, nodes)
        self._made[tensor] = (row["id"], 0)

    def _note_whole(self, module: nn.Module, given: list[Tensor], result: Any, *, kind: str) -> None:
        """A module as one operation."""
        self._meet(given)
        row = self._outside_row(_class_name(module), kind, [self._input(tensor, "input") for tensor in given])
        made = list(tensors_in(result))
        row["outputs"] = [_value(tensor) for tensor in made]
        self._add(row, made)

    def _outside_row(self, name: str, kind: str, inputs: list[Value]) -> dict[str, Any]:
        frame, _way = own_frame(sys._getframe(2))
        return {
            "id": len(self._operations), "name": name, "kind": kind, "inputs": inputs, "outputs": [], "arguments": {},
            "call": self._stack[-1][0] if self._stack else None, "nodes": [], "in_place": False, "packed": False,
            "error": "", "source": None if frame is None else (frame.f_code.co_filename, frame.f_lineno),
        }  # fmt: skip

    # What happens around a module.

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        given = list(tensors_in([args, kwargs]))
        with torch._C.DisableTorchFunction():  # our own questions are nobody's operations
            self._enter(module, given)
        before = len(self._operations)
        inside = self._listens_inside(module)
        room = 0 if len(self._stack) % _LEVELS else _LEVELS * _FRAMES
        try:
            _widen(room)
            result = (_plainly if inside else self._unheard)(original, module, args, kwargs)
        except Exception as error:
            with torch._C.DisableTorchFunction():
                self._note_module_failure(given, error)
            raise
        else:
            with torch._C.DisableTorchFunction():
                self._leave(module, given, result, before, inside=inside)
        finally:
            _widen(-room)
            while self._stack and self._stack.pop()[1] is not module:
                pass
        return result

    def _listens_inside(self, module: nn.Module) -> bool:
        return not is_compiled(module)

    def _leave(self, module: nn.Module, given: list[Tensor], result: Any, before: int, *, inside: bool) -> None:
        """A module of whose inside nothing was heard is one operation as a whole."""
        unseen = [t for t in tensors_in(result) if t not in self._made and not any(t is other for other in given)]
        if not inside or (unseen and len(self._operations) == before):
            self._note_whole(module, given, result, kind="compiled" if is_compiled(module) else "module")

    def _unheard(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Run a module without any trace of us: what is compiled, say, would be compiled anew otherwise."""
        left = self._leave_thread()
        try:
            return original(module, *args, **kwargs)
        finally:
            if left and self._running:
                self._enter_thread()
            elif left:
                sweep()

    def _enter(self, module: nn.Module, given: list[Tensor]) -> None:
        parent = self._stack[-1][0] if self._stack else None
        model, path = self._name(module)
        number = self._times[id(module)] = self._times.get(id(module), 0) + 1
        if parent is None:
            for tensor in given:
                if tensor not in self._made:
                    self._given[tensor] = True
        prefix = path + "." if path else ""
        held: list[tuple[str, str, Tensor | None]] = []
        held += [("parameter", name, tensor) for name, tensor in module._parameters.items()]
        held += [("buffer", name, tensor) for name, tensor in module._buffers.items()]
        for kind, name, own in held:
            if own is not None and own not in self._names and not nn.parameter.is_lazy(own):
                several = len(self._roots) > 1
                label = f"{model}.{prefix}{name}" if several else f"{prefix}{name}"
                self._names[own] = (kind, label)
                self._storages.ignore(own)
                if kind == "parameter":
                    self._parameters[label] = own.numel()
        settings = "" if next(module.children(), None) is not None else _settings(module)
        call = Call(len(self._calls), parent, path, _class_name(module), number, model, settings)
        self._calls.append(call)
        self._stack.append((call.id, module))

    def _name(self, module: nn.Module) -> tuple[str, str]:
        """The name of the outermost model, and the path of this module in it."""
        if self._stack:
            root = self._stack[0][1]
            _, model, paths = next(entry for entry in self._roots if entry[0] is root)
            if id(module) not in paths:  # held in a plain list, or made on the way
                paths[id(module)] = next((n for n, m in root.named_modules() if m is module), _class_name(module))
            return model, paths[id(module)]
        for root, model, _paths in self._roots:
            if root is module:
                return model, ""
        model = _variable(module) or _class_name(module)
        taken = [entry[1] for entry in self._roots]
        if model in taken:
            model = f"{model} {1 + sum(name.split(' ')[0] == model for name in taken)}"
        self._roots.append((module, model, {id(m): n for n, m in module.named_modules()}))
        return model, ""

    def _note_module_failure(self, given: list[Tensor], error: Exception) -> None:
        """An exception that began outside of all functions of torch: in the forward() of a module."""
        if self.error is error:
            return
        row = self._outside_row("forward", "module", [replace(_value(tensor), name="input") for tensor in given])
        row["error"] = str(error).strip()
        self.failed, self.error = self._finished(row), error

    # The backward graph.

    def _known(self, node: Any) -> tuple[int, int | None, int | None] | None:
        """The mark of a node: token, operation, number of the node; None for one that was not met."""
        mark: tuple[int, int | None, int | None] | None = node.metadata.get(_MARK)
        return mark if mark is not None and mark[0] == self._token else None

    def _walk(self, tensor: Tensor) -> list[Any]:
        """The nodes that an operation put between its result and what went in."""
        first = _grad_fn(tensor)
        if first is None or self._known(first) is not None:
            return []
        found: list[Any] = []
        waiting, seen = [first], {id(first)}
        while waiting and len(found) < _MOST_NODES:
            node = waiting.pop()
            found.append(node)
            for target, _at in node.next_functions:
                if target is None or id(target) in seen or self._known(target) is not None:
                    continue
                if hasattr(target, "variable") or _number(target) > self._first_node:
                    seen.add(id(target))
                    waiting.append(target)
        return found

    def _add_nodes(self, row: dict[str, Any], nodes: list[Any]) -> None:
        packed = _is_packed()
        row["packed"] = row["packed"] or (packed and bool(nodes))
        for node in nodes:
            number = len(self._nodes)
            node.metadata[_MARK] = (self._token, row["id"], number)
            variable = getattr(node, "variable", None)
            label = "" if variable is None else self._names.get(variable, ("", ""))[1]
            saved = 0 if packed or variable is not None else self._saved(node)
            name = "AccumulateGrad" if variable is not None else _node_name(node)
            self._nodes[number] = {"name": name, "to": [], "saved": saved, "parameter": label}
            row["nodes"].append(number)
        for node in nodes:
            known = self._known(node)
            edges = self._nodes[known[2]]["to"] if known is not None and known[2] is not None else []
            for target, _at in node.next_functions:
                mark = self._known(target) if target is not None else None
                if mark is not None and mark[2] is not None and mark[2] not in edges:
                    edges.append(mark[2])

    def _saved(self, node: Any) -> int:
        total = 0
        kind: Any = type(node)
        for raw, name in _names_of_saved(kind):
            try:
                if _is_packed_alone(getattr(node, raw)):
                    continue
                held = getattr(node, name)
            except (RuntimeError, AttributeError):  # freed already, or of a kind that does not tell
                continue
            total += sum(self._storages.count(tensor) for tensor in tensors_in(held))
        return total

    def _nodes_name(self, nodes: list[Any], start: str) -> bool:
        return bool(nodes) and _node_name(nodes[0]).startswith(start)


class _Storages:
    """Which pieces of memory were counted. Weakly: none is held, and no address can be used twice meanwhile."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def ignore(self, tensor: Tensor) -> None:
        self.count(tensor)

    def count(self, tensor: Tensor) -> int:
        """The bytes of a tensor's memory the first time that it is seen, and 0 from then on."""
        from torch.multiprocessing.reductions import StorageWeakRef

        try:
            storage = tensor.untyped_storage()
            reference: Any = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        except (RuntimeError, NotImplementedError, AttributeError):  # sparse, nested, or without memory of its own
            return 0
        if reference.cdata in self._seen:
            return 0
        self._seen[reference.cdata] = reference
        return storage.nbytes()


def _widen(frames: int) -> None:
    """Let functions call each other so much deeper: a model that calls itself reaches its depth in spite of us."""
    if frames:
        with _lock:
            sys.setrecursionlimit(sys.getrecursionlimit() + frames)


def _plainly(original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
    return original(module, *args, **kwargs)


def _ends(tensor: Tensor) -> list[int] | None:
    """The smallest and the largest of whole numbers: an index that is too large, say."""
    if tensor.device.type != "cpu" or tensor.is_floating_point() or not 0 < tensor.numel() <= 10_000_000:
        return None
    found: list[int] | None = _quietly(lambda: [int(tensor.min()), int(tensor.max())], None)
    return found


def _value(tensor: Tensor) -> Value:
    shape = tuple(int(side) if isinstance(side, int) else str(side) for side in _quietly(lambda: tensor.shape, ()))
    size = _quietly(lambda: tensor.numel() * tensor.element_size(), 0)
    return Value(shape, str(tensor.dtype).removeprefix("torch."), int(size), str(tensor.device))


def _quietly(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Some kinds of tensors (nested, lazy) have no answer to ordinary questions."""
    try:
        return ask()
    except (RuntimeError, NotImplementedError, ValueError, TypeError):
        return otherwise


def _version(tensor: Tensor) -> int:
    return int(_quietly(lambda: tensor._version, -1))  # inference tensors do not count


def _grad_fn(tensor: Tensor) -> Any:
    return _quietly(lambda: tensor.grad_fn, None)


def _base(tensor: Tensor) -> Tensor | None:
    base: Tensor | None = _quietly(lambda: tensor._base, None)
    return base


def _is_view(tensor: Tensor) -> bool:
    return _base(tensor) is not None


def _node_name(node: Any) -> str:
    return str(node.name()).rsplit("::", 1)[-1]


def _number(node: Any) -> int:
    """Nodes of the backward graph are numbered as they are made; a leaf's has the largest number there is."""
    return int(node._sequence_nr()) if not hasattr(node, "variable") else sys.maxsize


def _newest_node() -> int:
    """The number of the newest node in this thread: one more is made to learn it, and dropped."""
    with unheard(), torch.inference_mode(False), torch.enable_grad():
        return _number(torch.zeros((), requires_grad=True, device="cpu").view(()).grad_fn)


def _is_packed() -> bool:
    """Whether somebody else than autograd holds what backward needs. To look at it would compute it again.

    A private name of PyTorch's. Canary: tests/graph/test_tracer.py.
    """
    ask = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return ask is not None and ask(True) is not None


@lru_cache(512)  # not more: functions of one's own bring new types, which nobody else may hold
def _names_of_saved(kind: type) -> list[tuple[str, str]]:
    """Where nodes of a kind hold tensors for backward: the name of the holder, and that of what it holds."""
    names = dir(kind)
    plain = [(raw, raw.removeprefix("_raw")) for raw in names if raw.startswith("_raw_saved_")]
    return [(raw, name if name in names else name[1:]) for raw, name in plain]  # functions of one's own: saved_tensors


def _is_packed_alone(holder: Any) -> bool:
    """Whether to ask a holder for its tensor would call a hook of somebody's, which may count on one call alone."""
    holders = holder if isinstance(holder, (list, tuple)) else [holder]
    return any(getattr(one, "unpack_hook", None) is not None for one in holders)


def is_compiled(module: nn.Module) -> bool:
    """Whether torch.compile runs this module."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    whole = getattr(dynamo, "OptimizedModule", None)
    return (whole is not None and isinstance(module, whole)) or getattr(module, "_compiled_call_impl", None) is not None


def _class_name(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return str(getattr(module, "original_name", type(module).__name__))
    original = getattr(module, "_orig_mod", None)
    return type(original if isinstance(original, nn.Module) else module).__name__


def _settings(module: nn.Module) -> str:
    if "extra_repr" in type(module).__dict__ or type(module).__module__.startswith("torch.nn."):
        return str(_quietly(module.extra_repr, ""))[:200]
    return ""


def _variable(module: nn.Module) -> str:
    """The name of the learner's global variable that holds a model.

    Locals are left alone: to read those of a running function makes Python keep them until it ends.
    """
    frame, _way = own_frame(sys._getframe(1))
    if frame is None or kind_of_file(frame.f_code.co_filename) != "own":
        return ""
    found = [name for name, value in list(frame.f_globals.items()) if value is module and not name.startswith("_")]
    return found[0] if found else ""


def tracers_here() -> list[Tracer]:
    """Those that listen in this thread, innermost last."""
    if not hasattr(_here, "tracers"):
        _here.tracers = []
    tracers: list[Tracer] = _here.tracers
    return tracers


def _wrap_modules() -> None:
    global _wrapped, _original
    with _lock:
        _wrapped += 1
        if _original is None:
            _original = nn.Module.__call__
            nn.Module.__call__ = _heard_call  # type: ignore[method-assign]


def _unwrap_modules() -> None:
    """One tracer less needs the wrapper around `nn.Module.__call__`."""
    global _wrapped, _original
    with _lock:
        _wrapped -= 1
        if not _wrapped and nn.Module.__call__ is _heard_call:  # else somebody has wrapped ours: it passes calls on
            nn.Module.__call__ = _original  # type: ignore[method-assign, assignment]
            _original = None


def sweep() -> None:
    """Take away what stopped tracers have left: in this thread, and of threads that have ended."""
    for tracer in list(_stopped):
        if tracer in tracers_here():
            if not tracer._leave_thread():
                continue
        elif not tracer._thread.is_alive():
            _unwrap_modules()
        elif tracer._thread is not threading.current_thread():
            continue
        with contextlib.suppress(ValueError):  # another thread was here first
            _stopped.remove(tracer)


def _watch_forks() -> None:
    global _forks_watched
    if not _forks_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    _forks_watched = True


def _after_fork() -> None:
    """A child, such as a worker of a loader, computes without us: nobody would read what is noted there."""
    global _lock, _wrapped
    _lock = threading.Lock()  # another thread of the parent's may have held it
    _wrapped = 1 + len(tracers_here())  # those of other threads are not here
    _stopped.clear()
    for tracer in list(tracers_here()):
        tracer.stop()
    _unwrap_modules()


def _heard_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    original = _original or nn.Module._wrapped_call_impl
    if torch.compiler.is_compiling():
        return original(module, *args, **kwargs)
    if _stopped:
        sweep()
    tracers = [tracer for tracer in tracers_here() if tracer._running]
    if not tracers:
        return original(module, *args, **kwargs)
    return _through(tracers, len(tracers) - 1, original, module, args, kwargs)


def _through(
    tracers: list[Tracer], at: int, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any
) -> Any:
    """Call a module through all tracers of this thread, the innermost first."""
    if at < 0:
        return original(module, *args, **kwargs)

    def inwards(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return _through(tracers, at - 1, original, module, args, kwargs)

    return tracers[at]._call(inwards, module, args, kwargs)


def _put_at_bottom(mode: TorchFunctionMode) -> None:
    above = _lift_all()
    default = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)  # a private name
    if default is not None and above and above[-1] is default:
        _push(above.pop())  # torch.set_default_device expects to find its own below everything
    _push(mode)
    for other in reversed(above):
        _push(other)


def _take_away(mode: TorchFunctionMode) -> bool:
    """Whether it was there."""
    lifted = _lift_all()
    for other in reversed(lifted):
        if other is not mode:
            _push(other)
    return any(other is mode for other in lifted)


def _lift_all() -> list[TorchFunctionMode]:
    """Take all modes off the stack, the uppermost first.

    Private names of PyTorch's, which its own torch.device uses in the same way. Canary: tests/graph/test_tracer.py.
    """
    stack: Any = overrides
    return [stack._pop_mode() for _ in range(stack._len_torch_function_stack())]


def _push(mode: TorchFunctionMode) -> None:
    stack: Any = overrides
    stack._push_mode(mode)
