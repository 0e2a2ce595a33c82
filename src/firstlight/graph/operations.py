"""What one forward pass did, as values that JSON can hold: operations, the tensors between them, calls of modules.

Nothing here refers to a tensor: a graph that is kept keeps no memory of the network's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from firstlight.errors import FirstlightError
from firstlight.locale import Text

if TYPE_CHECKING:
    from firstlight.graph.difference import Difference
    from firstlight.graph.xray import Shapes
    from firstlight.picture import Picture

FORMAT = 1  # of the rows; a reader of a later format may meet earlier ones


class NotAGraph(FirstlightError, ValueError):
    """Rows that hold no graph."""

    text = Text(
        what="These rows hold no graph that this version can read: {found}.",
        why="A graph is written by Graph.rows(), in a form that has a number of its own.",
        do="Give the rows of one step unchanged, as in Graph.from_rows(run.operations(step)).",
    )


class NoOperation(FirstlightError, IndexError):
    """A number that no operation has."""

    text = Text(
        what="There is no operation {number} in this graph.",
        why="It has {count} operations, numbered from 0 in the order in which they ran.",
        do="Look for one with graph.find('conv'), or list graph.operations.",
    )


@dataclass(frozen=True)
class Value:
    """A tensor that went into an operation or came out of one.

    Attributes:
        shape: Its sides; a side that differs from sample to sample (nested tensors) is a string.
        dtype: Such as `float32`.
        bytes: What its numbers take.
        device: Such as `cpu`.
        name: Of an input: which argument it was (`input`, `weight`); of a parameter or buffer see `label`.
        what: `operation`, `parameter`, `buffer`, `input` (what the model was given) or `outside` (came from elsewhere).
        origin: Which operation made it and which of its results it is; None if none did.
        label: The name of a parameter or buffer in its model.
    """

    shape: tuple[int | str, ...]
    dtype: str
    bytes: int = 0
    device: str = "cpu"
    name: str = ""
    what: str = "outside"
    origin: tuple[int, int] | None = None
    label: str = ""

    @property
    def sides(self) -> str:
        """The shape as it is written in text: `2 × 3`, or `()` for a single number."""
        return " × ".join(map(str, self.shape)) if self.shape else "()"


@dataclass(frozen=True)
class Node:
    """One node of PyTorch's backward graph.

    Attributes:
        id: Its number in this graph.
        name: As autograd calls it, such as `ConvolutionBackward0`.
        to: Where gradients go from here: other nodes. What lies outside of the graph is left out.
        saved: Bytes that it holds for the backward pass and that no earlier node holds; parameters do not count.
        parameter: For `AccumulateGrad`: whose gradient is collected here.
    """

    id: int
    name: str
    to: tuple[int, ...] = ()
    saved: int = 0
    parameter: str = ""


@dataclass(frozen=True)
class Source:
    """The line of the learner's that an operation came from.

    Attributes:
        file: Path of the file; in a notebook what the kernel calls the cell.
        line: Its number, from 1.
        text: The line itself.
        cell: The number of the notebook's cell, as in `In [3]`; None elsewhere.
    """

    file: str
    line: int
    text: str = ""
    cell: int | None = None

    def __str__(self) -> str:
        where = f"In [{self.cell}]" if self.cell is not None else self.file.replace("\\", "/").rsplit("/", 1)[-1]
        return f"{where}:{self.line}"


@dataclass(frozen=True)
class Call:
    """One call of a module. A module that is called five times makes five of them.

    Attributes:
        id: Its number, in the order in which the calls began.
        parent: The call inside of which it happened; None for an outermost one.
        module: The path of the module in its model, such as `features.0`; empty for the model itself.
        kind: The module's class.
        number: Which call of this module it is, from 1.
        model: What the model is called.
        settings: How the module describes itself, such as `1, 6, kernel_size=(5, 5), stride=(1, 1)`.
    """

    id: int
    parent: int | None
    module: str
    kind: str
    number: int = 1
    model: str = ""
    settings: str = ""

    @property
    def title(self) -> str:
        """How it is called where it is shown: `conv1 (Conv2d)`, and from the second call on `cell (GRUCell) #2`."""
        name = f"{self.module} ({self.kind})" if self.module else self.model
        if not self.module and self.model != self.kind:
            name = f"{self.model} ({self.kind})"
        return f"{name} #{self.number}" if self.number > 1 else name


@dataclass(frozen=True)
class Operation:
    """One call of a function that gave tensors.

    Attributes:
        id: Its number in the order of execution, from 0.
        name: The function, such as `conv2d`; one that changes its input ends with `_`.
        inputs: The tensors that went in.
        outputs: The tensors that came out; empty if it failed.
        arguments: Everything else that it was given, by name; `{"tensor": 1}` stands for the second of `inputs`.
        call: The call of a module in which it happened; None outside of all modules.
        source: The learner's line.
        backward: The nodes that it put into the backward graph; empty where no gradient is asked for.
        kind: `operation`; `function` for a torch.autograd.Function of somebody's own; `compiled` for a whole compiled
            model; `module` for a module whose inside PyTorch does not show.
        in_place: Whether it changed its first input.
        packed: Whether something else than autograd (a checkpoint) holds what backward needs, so that it is unknown.
        error: What PyTorch said if it failed.
    """

    id: int
    name: str
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    call: int | None = None
    source: Source | None = None
    backward: tuple[Node, ...] = ()
    kind: str = "operation"
    in_place: bool = False
    packed: bool = False
    error: str = ""

    @property
    def saved_bytes(self) -> int:
        """What this operation holds for the backward pass, each storage counted once in the whole graph."""
        return sum(node.saved for node in self.backward)

    def argument(self, name: str, default: Any = None) -> Any:
        """An argument by name; a tensor comes as its `Value`."""
        found = self.arguments.get(name, default)
        return self._filled(found)

    def _filled(self, found: Any) -> Any:
        if isinstance(found, dict) and set(found) == {"tensor"}:
            return self.inputs[found["tensor"]]
        if isinstance(found, (list, tuple)):
            return [self._filled(part) for part in found]
        return found


class Graph:
    """The operations of one forward pass and what they left for the backward pass.

    Attributes:
        operations: In the order in which they ran.
        calls: The calls of modules, in the order in which they began.
        parameters: How many numbers each parameter holds, by name; those of modules that were called.
        step: Of which training step, if it was recorded in one.
        failed: The operation at which the forward pass ended, if it did; it is not one of `operations`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from firstlight.graph import trace
        >>> graph = trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), torch.zeros(2, 2, 2))
        >>> [operation.name for operation in graph.operations]
        ['flatten', 'linear']
        >>> print(graph)
        Sequential: 2 operations, 3 calls of modules, 15 parameters, ... held for backward
        └─ Sequential
           ├─ 0 (Flatten)
           │  └─ flatten  2 × 2 × 2 → 2 × 4
           └─ 1 (Linear)
              └─ linear  2 × 4 → 2 × 3
    """

    def __init__(
        self,
        operations: Iterable[Operation],
        calls: Iterable[Call] = (),
        *,
        parameters: Mapping[str, int] | None = None,
        step: int | None = None,
        failed: Operation | None = None,
    ) -> None:
        self.operations = tuple(operations)
        self.calls = tuple(calls)
        self.parameters = dict(parameters or {})
        self.step = step
        self.failed = failed

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __getitem__(self, number: int) -> Operation:
        try:
            return self.operations[number]
        except IndexError:
            raise NoOperation(number=number, count=len(self.operations)) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self.rows() == other.rows() and self.step == other.step

    __hash__ = None  # type: ignore[assignment]  # it holds dictionaries

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Which operation's result went into which operation, each pair once, in the order of execution."""
        found = {
            (value.origin[0], operation.id): None
            for operation in self.operations
            for value in operation.inputs
            if value.origin is not None
        }
        return tuple(found)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The backward graph's nodes, in the order in which the forward pass made them."""
        return tuple(node for operation in self.operations for node in operation.backward)

    @property
    def backward_edges(self) -> tuple[tuple[int, int], ...]:
        """From which node of the backward graph gradients flow to which."""
        return tuple((node.id, target) for node in self.nodes for target in node.to)

    @cached_property
    def operation_of_node(self) -> dict[int, int]:
        """Which operation put a node there."""
        return {node.id: operation.id for operation in self.operations for node in operation.backward}

    @property
    def saved_bytes(self) -> int:
        """What all operations together hold for the backward pass."""
        return sum(operation.saved_bytes for operation in self.operations)

    @property
    def compiled(self) -> bool:
        """Whether part of it is compiled, so that its inside is not seen."""
        return any(operation.kind == "compiled" for operation in self.operations)

    @property
    def modules(self) -> dict[str, list[Call]]:
        """The calls of each module, by model and path (`Net.features.0`)."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            found.setdefault(f"{call.model}.{call.module}" if call.module else call.model, []).append(call)
        return found

    def path(self, operation: Operation) -> tuple[Call, ...]:
        """The calls of modules around an operation, from the outermost inwards."""
        found = []
        at = operation.call
        while at is not None:
            found.append(self.calls[at])
            at = self.calls[at].parent
        return tuple(reversed(found))

    def place(self, operation: Operation) -> str:
        """The module in which an operation happened, as in `features.0 (Conv2d)`; empty outside of all modules."""
        return "" if operation.call is None else self.calls[operation.call].title

    def find(self, text: str) -> list[Operation]:
        """The operations in whose name, module, source line or shapes a text stands, whatever its case.

        Example:
            >>> import torch
            >>> from firstlight.graph import trace
            >>> graph = trace(torch.nn.Linear(4, 3), torch.zeros(2, 4))
            >>> [operation.name for operation in graph.find("LIN")]
            ['linear']
        """
        wanted = text.casefold()
        found = []
        for operation in self.operations:
            names = [operation.name, *(value.sides for value in (*operation.inputs, *operation.outputs))]
            names += [part for call in self.path(operation)[-1:] for part in (call.module, call.kind, call.title)]
            names += [value.label for value in operation.inputs]
            names += [operation.source.text, str(operation.source)] if operation.source else []
            if any(wanted in name.casefold() for name in names):
                found.append(operation)
        return found

    def diff(self, other: "Graph") -> "Difference":
        """What was added, removed or changed shape from this graph to another, in the order of execution.

        Example:
            >>> import torch
            >>> from firstlight.graph import trace
            >>> layer = torch.nn.Linear(4, 3)
            >>> print(trace(layer, torch.zeros(2, 4)).diff(trace(layer, torch.zeros(5, 4))))
            1 → 1 operations: 0 added, 0 removed, 1 with other shapes
              ~ linear  layer (Linear)  2 × 4 → 2 × 3  becomes  5 × 4 → 5 × 3
        """
        from firstlight.graph.difference import compare

        return compare(self, other)

    def shapes(self) -> "Shapes":
        """How each shape follows from the one before, in numbers; where the forward pass failed, why."""
        from firstlight.graph.xray import Shapes

        return Shapes(self)

    def picture(self) -> "Picture":
        """The graph as something to look at: HTML that needs no scripts, and text."""
        from firstlight.graph.drawing import draw

        return draw(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()

    def __repr__(self) -> str:
        from firstlight.graph.writing import tree

        return tree(self)

    def show(self) -> None:
        """Show it where the person is: a picture below the cell in a notebook, the tree as text in a terminal."""
        self.picture().display()

    def summary(self) -> Counter[str]:
        """How often each function was called, the most frequent first where it is listed with `most_common()`."""
        return Counter(operation.name for operation in self.operations)

    def rows(self) -> list[dict[str, Any]]:
        """The graph as JSON values, one dictionary for each operation and call: what `run.add_operations` takes."""
        rows: list[dict[str, Any]] = [{"row": "graph", "format": FORMAT, "parameters": self.parameters}]
        rows += [{"row": "call", **_brief(asdict(call), _PLAIN_CALL)} for call in self.calls]
        rows += [{"row": "operation", **_packed(operation)} for operation in self.operations]
        if self.failed is not None:
            rows.append({"row": "failed", **_packed(self.failed)})
        return rows

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, step: int | None = None) -> "Graph":
        """Read what `rows` wrote.

        Args:
            rows: As they were written; a reader that was through JSON in between makes no difference.
            step: Of which step they are.

        Raises:
            NotAGraph: The rows are something else.
        """
        rows = list(rows)
        head = next((row for row in rows if row.get("row") == "graph"), None)
        if head is None or head.get("format") != FORMAT:
            raise NotAGraph(found=sorted({str(row.get("row")) for row in rows})[:3] if head is None else head["format"])
        operations = [_unpacked(row) for row in rows if row.get("row") == "operation"]
        failed = next((_unpacked(row) for row in rows if row.get("row") == "failed"), None)
        calls = [Call(**{**_PLAIN_CALL, **_without(row, "row")}) for row in rows if row.get("row") == "call"]
        return cls(operations, calls, parameters=head["parameters"], step=step, failed=failed)

    def at(self, step: int) -> "Graph":
        """The same graph, noted as that of a training step."""
        return Graph(self.operations, self.calls, parameters=self.parameters, step=step, failed=self.failed)


# Rows leave out what is as usual: most of the record's size would be such repetitions.
_PLAIN_CALL: dict[str, Any] = {"parent": None, "module": "", "number": 1, "model": "", "settings": ""}
_PLAIN_VALUE: dict[str, Any] = asdict(Value((), "float32"))
_PLAIN_OPERATION: dict[str, Any] = asdict(Operation(0, ""))


def _brief(values: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in plain or value != plain[name]}


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _packed(operation: Operation) -> dict[str, Any]:
    row = _brief({"id": operation.id, "name": operation.name, **_shallow(operation)}, _PLAIN_OPERATION | {"id": -1})
    for side in ("inputs", "outputs"):
        values = [_listed(_brief(vars(value), _PLAIN_VALUE)) for value in getattr(operation, side)]
        if values:
            row[side] = values
    if operation.backward:
        plain = {"to": (), "saved": 0, "parameter": ""}
        row["backward"] = [_listed(_brief(vars(node), plain)) for node in operation.backward]
    if operation.source is not None:
        row["source"] = _brief(vars(operation.source), {"cell": None})
    return row


def _shallow(operation: Operation) -> dict[str, Any]:
    return {name: getattr(operation, name) for name in ("arguments", "call", "kind", "in_place", "packed", "error")}


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}


def _unpacked(row: Mapping[str, Any]) -> Operation:
    return Operation(
        **_without(row, "row", "inputs", "outputs", "backward", "source"),
        inputs=tuple(_value(value) for value in row.get("inputs", ())),
        outputs=tuple(_value(value) for value in row.get("outputs", ())),
        backward=tuple(Node(**{**node, "to": tuple(node.get("to", ()))}) for node in row.get("backward", ())),
        source=Source(**row["source"]) if row.get("source") else None,
    )


def _value(row: Mapping[str, Any]) -> Value:
    values = {"dtype": _PLAIN_VALUE["dtype"], **row, "shape": tuple(row.get("shape", ()))}
    if row.get("origin") is not None:
        values["origin"] = tuple(row["origin"])
    return Value(**values)
