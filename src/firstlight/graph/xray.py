"""The shape X-ray: for each operation, how its output shape follows from its input, in numbers; and where it breaks."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import nn

from firstlight.graph.arithmetic import explain
from firstlight.graph.drawing import COLOURS, STYLE, kind_of
from firstlight.graph.failure import Advice, advise
from firstlight.graph.operations import Graph, Operation, Value
from firstlight.graph.tracing import watched
from firstlight.graph.writing import heading
from firstlight.locale import _
from firstlight.picture import Picture, in_columns


def shapes(model: nn.Module, *inputs: Any, loss: Callable[[Any], Any] | None = None, **named: Any) -> None:
    """Show how shapes change from operation to operation, with the arithmetic. Where the model fails: where, and why.

    A failure is shown, not raised: the operations that worked, then the one that did not, what it expected, what it got
    and the change that would fit. The model is left as it was, as by `trace`; `trace(model, x).shapes()` gives the same
    table as a value.

    Args:
        model: Any module.
        inputs: What its `forward` takes.
        loss: A function of what the model returns, to be shown as well.
        named: What its `forward` takes by name.

    Raises:
        NotAModel: Something else than a module was given.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(400, 10))
        >>> shapes(model, torch.zeros(2, 1, 24, 24))
        model: 1 operations, 3 calls of modules, 4,010 parameters, 0 B held for backward
        operation  module       input            arithmetic                output   parameters
        flatten    0 (Flatten)  2 × 1 × 24 × 24  side 1: 1 * 24 * 24 = 576  2 × 576
        ✗ linear   1 (Linear)   2 × 576          ✗                                  4,010
        linear failed in 1 (Linear).
          expected: 400 numbers in each row (in_features)
          got: 576 in each row of (2, 576)
          would fit: nn.Linear(576, 10)
          PyTorch says: mat1 and mat2 shapes cannot be multiplied (2x576 and 400x10)
          line: ...
    """
    graph, error = watched(model, inputs, named, loss)
    if error is not None and graph.failed is None:
        raise error
    Shapes(graph).show()


@dataclass(frozen=True)
class Row:
    """One line of the table, ready to be read.

    Attributes:
        operation: The function.
        module: The module that called it.
        given: The shapes that went in, without those of weights.
        arithmetic: How the result's shape follows; empty where nothing certain can be said.
        result: The shapes that came out.
        parameters: How many numbers its weights hold.
        failed: Whether it ended here.
    """

    operation: str
    module: str
    given: str
    arithmetic: str
    result: str
    parameters: int
    failed: bool = False


class Shapes:
    """The table of one forward pass.

    Attributes:
        graph: What ran.
        rows: One for each operation, and the one that failed.
        advice: What would help, if it failed and something certain can be said.

    Example:
        >>> import torch
        >>> from firstlight.graph import trace
        >>> trace(nn.MaxPool2d(2), torch.zeros(1, 3, 28, 28)).shapes().rows[0].arithmetic
        'height and width: 28 / 2 = 14'
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        seen: set[str] = set()
        self.rows = [_row(graph, operation, seen) for operation in graph.operations]
        if graph.failed is not None:
            self.rows.append(_row(graph, graph.failed, seen))
        self.advice: Advice | None = advise(graph)

    def _titles(self) -> list[str]:
        return [_("operation"), _("module"), _("input"), _("arithmetic"), _("output"), _("parameters")]

    def _failure(self) -> list[tuple[str, str]]:
        """What is said below the table, each part with its title."""
        if self.graph.failed is None:
            return []
        said = []
        if self.advice is not None:
            said += [(_("expected"), self.advice.expected), (_("got"), self.advice.got)]
            said += [(_("would fit"), self.advice.change)] if self.advice.change else []
        source = self.graph.failed.source
        said.append((_("PyTorch says"), self.graph.failed.error.splitlines()[0] if self.graph.failed.error else "?"))
        return said + ([(_("line"), f"{source}  {source.text}")] if source is not None and source.text else [])

    def __repr__(self) -> str:
        lines = [heading(self.graph)]
        table = [self._titles()]
        for row in self.rows:
            mark = "✗ " if row.failed else ""
            numbers = f"{row.parameters:,}" if row.parameters else ""
            table.append([mark + row.operation, row.module, row.given, row.arithmetic, row.result, numbers])
        lines.append(in_columns(table, left=len(table[0])))
        if self.graph.failed is not None:
            lines.append(self._sentence())
            lines += [f"  {title}: {what}" for title, what in self._failure()]
        return "\n".join(lines)

    def _sentence(self) -> str:
        failed = self.graph.failed
        assert failed is not None
        place = self.graph.place(failed)
        if not place:
            return _("{operation} failed.", operation=failed.name)
        return _("{operation} failed in {layer}.", operation=failed.name, layer=place)

    def picture(self) -> Picture:
        """The table as HTML and text."""
        head = "".join(f'<th scope="col">{escape(title)}</th>' for title in self._titles())
        operations: list[Operation] = [*self.graph.operations, *([self.graph.failed] if self.graph.failed else [])]
        body = []
        for row, operation in zip(self.rows, operations, strict=True):
            name = f"✗ <b>{escape(row.operation)}</b>" if row.failed else escape(row.operation)
            said = [row.given, row.arithmetic, row.result, f"{row.parameters:,}" if row.parameters else ""]
            cells = "".join(
                f"<td{' class=fl-nowrap' if at in (0, 2) else ''}><code>{escape(text)}</code></td>"
                for at, text in enumerate(said)
            )
            colour = COLOURS.get(kind_of(operation), "#80868b")
            bar = f' style="border-left:4px solid {colour}"'
            mark = ' class="fl-bad"' if row.failed else ""
            body.append(f"<tr{mark}><td{bar}>{name}</td><td>{escape(row.module)}</td>{cells}</tr>")
        below = ""
        if self.graph.failed is not None:
            parts = "".join(f"<dt>{escape(t)}</dt><dd><code>{escape(w)}</code></dd>" for t, w in self._failure())
            below = f'<div class="fl-why" role="alert"><b>{escape(self._sentence())}</b><dl>{parts}</dl></div>'
        html = (
            f'<div class="fl-graph" role="group">{STYLE}<p class="fl-head">{escape(heading(self.graph))}</p>'
            f'<div class="fl-scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
            f"{below}</div>"
        )
        return Picture(html=html, text=repr(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()

    def show(self) -> None:
        """Show it where the person is."""
        self.picture().display()


def _row(graph: Graph, operation: Operation, seen: set[str]) -> Row:
    given = [value for value in operation.inputs if value.what not in ("parameter", "buffer")]
    own = [value for value in operation.inputs if value.what == "parameter"]
    count = sum(_numbers(value) for value in own if value.label not in seen or not value.label)
    seen.update(value.label for value in own)  # shared weights count where they are used first
    failed = bool(operation.error)
    return Row(
        operation.name,
        graph.place(operation),
        _listed(given),
        "✗" if failed else str(explain(operation)),
        _listed(operation.outputs),
        count,
        failed,
    )


def _numbers(value: Value) -> int:
    count = 1
    for side in value.shape:
        count *= int(side)
    return count


def _listed(values: Any) -> str:
    said = [value.sides for value in values]
    return ", ".join(said if len(said) <= 3 else [*said[:2], "…", said[-1]])
