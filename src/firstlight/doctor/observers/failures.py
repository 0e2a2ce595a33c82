"""The exception that ended a program: where, and the shapes, types and devices of the tensors that were there.

Everything is read from the frames of the traceback when it is told. No tensor, frame or module is kept.
"""

import ast
import contextlib
import linecache
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.doctor.observer import Backward, Observer
from firstlight.doctor.places import Place
from firstlight.doctor.resolving import UNKNOWN, resolve
from firstlight.doctor.trail import line_of
from firstlight.errors import FirstlightError
from firstlight.graph.source import kind_of_file

_MARK = "firstlight.pass"  # in a node's metadata: the number of the backward pass that met it first
_MARKED = 3  # first backward passes whose nodes are marked: who goes through a graph twice does so at once
_NODES = 4000
_TENSORS = 16
_LONGEST = 1500  # characters of a message
_OF_CONVOLUTIONS = ("padding", "stride", "dilation", "groups")
_SIGNS = {"Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Pow": "pow", "MatMult": "matmul", "Eq": "eq",
          "NotEq": "ne", "Lt": "lt", "Gt": "gt", "LtE": "le", "GtE": "ge"}  # fmt: skip


class Failures(Observer):
    """Fact `failure`: what ended the program."""

    kinds: ClassVar = ("failure",)

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._failure: dict[str, Any] | None = None
        self._last = self._before_last = -1  # nodes of the newest losses, and of those before them, by their numbers
        self._going: list[Any] = []  # of the newest backward pass: its losses (weakly), calls and steps before it
        self._before = (0, 0)
        self._grad: bool | None = None  # whether autograd was on in the newest call of a root, and its output learns
        self._learns: bool | None = None

    def forward(self, call: Any) -> None:
        self._grad = call.grad
        output = call.output
        self._learns = output.requires_grad if isinstance(output, Tensor) else None

    def backward_begins(self, going: Backward) -> None:
        if going.number < _MARKED:
            for node in _nodes(going.losses):
                node.metadata.setdefault(_MARK, going.number)
        self._going = [[weakref.ref(loss) for loss in going.losses], going.number]
        self._before_last = self._last
        self._last = max((_made_as(loss.grad_fn) for loss in going.losses), default=0)

    def backward(self, going: Backward) -> None:
        self._before = (self.witness.calls, self.witness.steps)

    def recovered(self) -> None:
        self._failure = None

    def failed(self, error: BaseException) -> None:
        if isinstance(error, FirstlightError) or not isinstance(error, Exception):
            return  # ours say themselves what they mean
        trace = list(_frames(error.__traceback__))
        own = [at for at, (frame, _line, _last) in enumerate(trace) if _is_own(frame.f_code.co_filename)]
        message = str(error)
        found: dict[str, Any] = {
            "type": type(error).__name__,
            "bases": [kind.__name__ for kind in type(error).__mro__ if kind is not object],
            "message": message[:_LONGEST],
            "step": self.witness.step,
            "backwards": self.witness.backwards,
            "steps": self.witness.steps,
            "frames": [_place(trace[at][0], trace[at][1]).as_json() for at in own[-8:]],
            "through": [f"{Path(f.f_code.co_filename).stem}.{f.f_code.co_name}" for f, _l, _i in trace[own[-1] + 1 :]]
            if own
            else [],
            "tensors": {},
            "operation": None,
            "call": None,
            "grad": self._grad,
            "learns": self._learns,
        }
        self._failure = found
        if not own:
            return
        frame, line, last = trace[own[-1]]
        held = list(_held(frame).items())[:_TENSORS]
        found["tensors"] = {name: _described(value) for name, value in held}
        found["raised"] = own[-1] == len(trace) - 1 and _raises(frame, line)
        with contextlib.suppress(Exception):  # the rest is worth having, and not worth failing for
            found["call"] = _statement(frame, line, last)
        inside = [one[0] for one in trace[own[-1] + 1 :]]
        with contextlib.suppress(Exception):
            found["operation"] = self._operation(frame, line, last, inside, message)
        with contextlib.suppress(Exception):
            if "second time" in message:
                found["twice"] = self._twice([trace[at][0] for at in own])
            elif "inplace" in message or "in-place" in message:
                found["inplace"] = self._in_place()
                found["twice"] = self._twice([trace[at][0] for at in own])
            elif "does not require grad" in message:
                found["loss"] = self._loss()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What ended the program, if anything did."""
        if self._failure is not None:
            yield "failure", self._failure

    # What failed.

    def _operation(
        self, frame: FrameType, line: int, last: int, inside: list[FrameType], message: str
    ) -> dict[str, Any] | None:
        """The operation and what it was given, as `firstlight.graph.failure` reads it."""
        module = next((one.f_locals["self"] for one in reversed(inside) if _runs_module(one)), None)
        made: tuple[str, dict[str, Any]] | None = None
        for one in reversed(inside):
            made = _from_module(one) or _from_function(one)
            if made is not None:
                break
        if made is None:
            node = _node_at(frame, line, last)
            made = _from_expression(node, frame) if node is not None else None
        if made is None and module is None:
            return None
        name, given = made or (type(module).__name__, {})
        return {
            "name": name,
            **_as_rows(given),
            "error": message[:_LONGEST],
            "module": None if module is None else self._named(module),
        }

    def _named(self, module: nn.Module) -> dict[str, str]:
        for root in self.witness.roots():
            for name, one in root.named_modules():
                if one is module:
                    return {"name": name, "class": type(module).__name__, "settings": module.extra_repr()[:200]}
        return {"name": "", "class": type(module).__name__, "settings": module.extra_repr()[:200]}

    # Graphs.

    def _losses(self) -> list[Tensor]:
        return [loss for one in (self._going[0] if self._going else []) if (loss := one()) is not None]

    def _twice(self, frames: list[FrameType]) -> dict[str, Any]:
        """Which part of a graph had gone backward before, and by which names it is held."""
        number = self._going[1] if self._going else -1
        nodes = list(_nodes(self._losses()))
        inner = [node for node in nodes if not hasattr(node, "variable")]
        old = {node for node in inner if node.metadata.get(_MARK, number) < number}
        if not old:  # it began after the passes that were marked: nodes count up in the order in which they are made
            old = {node for node in inner if _made_as(node) <= self._before_last}
        new = [node for node in inner if node not in old]
        top = [to for node in new for to, _at in node.next_functions if to in old]
        top = top or [loss.grad_fn for loss in self._losses() if loss.grad_fn in old]
        names = [
            name for frame in frames[-3:] for name, value in _held(frame).items() if value.grad_fn in top
        ]  # fmt: skip
        lines = [place for node in top if (place := line_of(node)) is not None]
        calls, steps = self.witness.calls - self._before[0], self.witness.steps - self._before[1]
        return {
            "known": bool(old),
            "carried": bool(_leaves(old) & _leaves(new)) and calls + steps > 0,
            "whole": bool(old) and not new,
            "calls": calls,
            "steps": steps,
            "names": list(dict.fromkeys(names)),
            "lines": [place.as_json() for place in dict.fromkeys(lines)][:4],
        }

    def _in_place(self) -> dict[str, Any]:
        """Lines that made something of the loss's graph, with the shapes that they made; shapes of weights."""
        rows: dict[Any, dict[str, Any]] = {}
        for node in _nodes(self._losses()):
            place = line_of(node)
            if place is None:
                continue
            row = rows.setdefault(place, {"place": place.as_json(), "names": [], "shapes": []})
            row["names"].append(node.name())
            for meta in getattr(node, "_input_metadata", ()):
                row["shapes"].append(list(meta.shape))
        weights = [list(weight.shape) for root in self.witness.roots() for weight in root.parameters()]
        return {"lines": list(rows.values())[:200], "weights": weights[:200]}

    def _loss(self) -> dict[str, Any]:
        """What went backward without a graph."""
        weights = [weight for root in self.witness.roots() for weight in root.parameters()]
        return {"weights": len(weights), "frozen": sum(not weight.requires_grad for weight in weights)}


def _leaves(nodes: Iterable[Any]) -> set[Any]:
    """The weights that some nodes use themselves."""
    return {to for node in nodes for to, _at in node.next_functions if hasattr(to, "variable")}


def _made_as(node: Any) -> int:
    """Which of all nodes it is, in the order in which they were made; 0 where this torch does not say."""
    number = getattr(node, "_sequence_nr", None)
    return int(number()) if number is not None else 0


def _nodes(losses: Any) -> Iterator[Any]:
    """The nodes under some losses, each once, up to a bound."""
    waiting = [loss.grad_fn for loss in losses if isinstance(loss, Tensor) and loss.grad_fn is not None]
    seen: set[Any] = set()
    while waiting and len(seen) < _NODES:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [to for to, _at in node.next_functions if to is not None]


# Frames.


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno, trace.tb_lasti
        trace = trace.tb_next


def _is_own(file: str) -> bool:
    return kind_of_file(file) == "own" and "-packages" not in file


def _place(frame: FrameType, line: int) -> Place:
    return Place.at(frame.f_code.co_filename, line, frame.f_code.co_name)


def _held(frame: FrameType) -> dict[str, Tensor]:
    """The tensors of a frame by their names: its locals, and what its object holds as plain attributes."""
    found = {name: value for name, value in frame.f_locals.items() if isinstance(value, Tensor)}
    owner = frame.f_locals.get("self")
    for name, value in (getattr(owner, "__dict__", {}) if owner is not None else {}).items():
        if isinstance(value, Tensor):
            found[f"self.{name}"] = value
    return found


def _described(value: Tensor, name: str = "") -> dict[str, Any]:
    return {
        "shape": [int(side) for side in value.shape],
        "dtype": str(value.dtype).removeprefix("torch."),
        "device": str(value.device),
        "name": name,
        "what": "parameter" if isinstance(value, nn.Parameter) else "outside",
        "learns": value.requires_grad,
    }


# The operation.


def _runs_module(frame: FrameType) -> bool:
    code = frame.f_code
    return (
        isinstance(frame.f_locals.get("self"), nn.Module)
        and code.co_name not in ("_call_impl", "_wrapped_call_impl", "__call__")
        and kind_of_file(code.co_filename) == "torch"
    )


def _from_module(frame: FrameType) -> tuple[str, dict[str, Any]] | None:
    """What a layer was about to compute."""
    if not _runs_module(frame):
        return None
    layer, given = frame.f_locals["self"], frame.f_locals.get("input")
    if not isinstance(given, Tensor):
        return None
    if isinstance(layer, nn.Linear):
        return "linear", {"input": given, "weight": layer.weight, "bias": layer.bias}
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        options = {name: getattr(layer, name) for name in _OF_CONVOLUTIONS}
        return type(layer).__name__.lower(), {"input": given, "weight": layer.weight, "bias": layer.bias, **options}
    if frame.f_code.co_name in ("check_input", "_check_input_dim", "forward"):
        return type(layer).__name__, {"input": given}
    return None


def _from_function(frame: FrameType) -> tuple[str, dict[str, Any]] | None:
    """What a function of `torch.nn.functional` was given."""
    code = frame.f_code
    if not code.co_filename.replace("\\", "/").endswith("nn/functional.py"):
        return None
    if code.co_name in ("_verify_batch_size", "fn", "_verify_spatial_size"):
        return None
    return code.co_name.lstrip("_"), {name: frame.f_locals.get(name) for name in _arguments(code)}


def _arguments(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _from_expression(node: ast.AST, frame: FrameType) -> tuple[str, dict[str, Any]] | None:
    """What an expression of the learner's was about to compute: a call, or a sign such as `@`."""
    space = {**frame.f_globals, **frame.f_locals}
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.Compare):
        if isinstance(node, ast.Compare):
            op, left, right = type(node.ops[0]).__name__, node.left, node.comparators[0]
        elif isinstance(node, ast.BinOp):
            op, left, right = type(node.op).__name__, node.left, node.right
        else:
            op, left, right = type(node.op).__name__, node.target, node.value
        name = _SIGNS.get(op)
        given = {"input": resolve(left, space), "other": resolve(right, space)}
        return (name, given) if name is not None and UNKNOWN not in given.values() else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    name = node.func.attr
    owner = resolve(node.func.value, space)
    values = [resolve(one, space) for one in node.args]
    if isinstance(owner, Tensor):
        values = [owner, *values]
    named = {one.arg: resolve(one.value, space) for one in node.keywords if one.arg is not None}
    if any(one is UNKNOWN for one in (*values, *named.values())):
        return None
    if name in ("view", "reshape"):
        sides = values[1] if len(values) == 2 and isinstance(values[1], list | tuple) else values[1:]
        return name, {"input": values[0], "shape": list(sides)}
    if name in ("cat", "concat", "concatenate", "stack"):
        dim = named.get("dim", values[1] if len(values) > 1 else 0)
        return name, {"tensors": list(values[0]), "dim": dim}
    order = ("input", "other", "third", "fourth")
    return name, {**dict(zip(order, values, strict=False)), **named}


def _as_rows(given: dict[str, Any]) -> dict[str, Any]:
    """Tensors apart, and where each of them goes, as the rows of a graph hold it."""
    inputs: list[dict[str, Any]] = []
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        arguments[name] = _as_row(name, value, inputs)
        if name in ("target", "input") and isinstance(value, Tensor):
            kind = str(value.dtype)
            if value.device.type == "cpu" and value.numel() and "int" in kind:
                arguments[f"range of {name}"] = [int(value.min()), int(value.max())]
    return {"inputs": inputs, "arguments": arguments}


def _as_row(name: str, value: Any, inputs: list[dict[str, Any]]) -> Any:
    if isinstance(value, Tensor):
        inputs.append(_described(value, name))
        return {"tensor": len(inputs) - 1}
    if isinstance(value, list | tuple) and len(value) < 64:
        return [_as_row(name, one, inputs) for one in value]
    return value if isinstance(value, int | float | str | bool) or value is None else type(value).__name__


# The line.


def _node_at(frame: FrameType, line: int, last: int) -> ast.AST | None:
    """The expression that ran: by its column where Python knows it (3.11), else the only one on the line."""
    tree = _tree(frame.f_code.co_filename)
    if tree is None:
        return None
    spans = list(frame.f_code.co_positions()) if hasattr(frame.f_code, "co_positions") else []
    where = spans[last // 2] if 0 <= last // 2 < len(spans) else None
    kinds = (ast.Call, ast.BinOp, ast.Compare, ast.AugAssign, ast.Subscript)
    if where is not None and where[0] is not None and where[2] is not None:
        for node in ast.walk(tree):
            if isinstance(node, kinds) and (
                node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
            ) == where:  # fmt: skip
                return node
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.lineno == line]
    return found[0] if len(found) == 1 else None


def _statement(frame: FrameType, line: int, last: int) -> dict[str, Any] | None:
    """What the failing expression calls, as it is written, and what kind of thing that is."""
    node = _node_at(frame, line, last)
    if not isinstance(node, ast.Call):
        return None
    value = resolve(node.func, {**frame.f_globals, **frame.f_locals})
    kind = "tensor" if isinstance(value, Tensor) else type(value).__name__ if value is not UNKNOWN else ""
    return {"called": ast.unparse(node.func), "kind": kind, "text": ast.unparse(node)[:200]}


def _raises(frame: FrameType, line: int) -> bool:
    """Whether the learner's own code says so: `raise` or `assert`."""
    tree = _tree(frame.f_code.co_filename)
    said = [node for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Assert)] if tree is not None else []
    return any(node.lineno <= line <= (node.end_lineno or node.lineno) for node in said)


def _tree(file: str) -> ast.Module | None:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        return ast.parse("".join(linecache.getlines(file)))
    return None
