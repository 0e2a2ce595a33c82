"""A graph in words: a tree by module, for terminals and screen readers. Short sides, exact shapes."""

from collections.abc import Sequence

from firstlight.graph.arithmetic import explain
from firstlight.graph.operations import Call, Graph, Operation, Value
from firstlight.locale import _
from firstlight.locale.units import size

_LONGEST_TREE = 400  # lines; a longer one is cut, with a sentence that says so

Branch = "tuple[Call | None, list[Call | Operation]]"


def heading(graph: Graph) -> str:
    """One line: how large the graph is."""
    roots = list(dict.fromkeys(call.model for call in graph.calls if call.parent is None))
    return _(
        "{name}: {operations} operations, {calls} calls of modules, {parameters} parameters, {saved} held for backward",
        name=", ".join(roots) or _("graph"),
        operations=f"{len(graph):,}",
        calls=f"{len(graph.calls):,}",
        parameters=f"{sum(graph.parameters.values()):,}",
        saved=size(graph.saved_bytes),
    ) + (f", {_('step {step}', step=graph.step)}" if graph.step is not None else "")


def flow(operation: Operation) -> str:
    """What goes in and what comes out: `2 × 4 → 2 × 3`. Weights are left out; they stand in the module's settings."""
    given = [value for value in operation.inputs if value.what not in ("parameter", "buffer")]
    ins = _several(given) if given else ""
    outs = _several(operation.outputs)
    return f"{ins} → {outs}" if ins else f"→ {outs}"


def _several(values: Sequence[Value]) -> str:
    said = [value.sides for value in values]
    if len(said) > 4:
        same = len(set(said)) == 1
        return f"{len(said)} of {said[0]}" if same else ", ".join([*said[:3], "…"])
    return ", ".join(said)


def branches(graph: Graph) -> dict[int | None, list[Call | Operation]]:
    """What happened directly in each call (None: outside of all), calls and operations in the order of execution."""
    inside: dict[int | None, list[Call | Operation]] = {call.id: [] for call in graph.calls}
    inside[None] = []
    placed: set[int] = set()

    def place(call: Call) -> None:
        waiting = []
        at: Call | None = call
        while at is not None and at.id not in placed:
            waiting.append(at)
            at = graph.calls[at.parent] if at.parent is not None else None
        for one in reversed(waiting):
            placed.add(one.id)
            inside[one.parent].append(one)

    next_call = 0
    for operation in graph.operations:
        if operation.call is not None:
            while next_call <= operation.call:  # calls that ran before it, without an operation of their own too
                place(graph.calls[next_call])
                next_call += 1
        inside[operation.call].append(operation)
    for call in graph.calls[next_call:]:
        place(call)
    return inside


def tree(graph: Graph) -> str:
    """The whole graph as text."""
    inside = branches(graph)
    lines = [heading(graph)]
    stack: list[tuple[Call | Operation, str, bool]] = []

    def push(parts: Sequence[Call | Operation], indent: str) -> None:
        stack.extend((part, indent, at == len(parts) - 1) for at, part in reversed(list(enumerate(parts))))

    push(inside[None], "")
    while stack:
        part, indent, last = stack.pop()
        if len(lines) > _LONGEST_TREE:
            lines.append(_("… and {count} more; graph.find('...') looks for one", count=f"{len(stack) + 1:,}"))
            break
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{line(part)}")
        if isinstance(part, Call):
            push(inside[part.id], indent + ("   " if last else "│  "))
    if graph.failed is not None:
        lines.append(f"✗  {line(graph.failed)}")
    return "\n".join(lines)


def line(part: Call | Operation) -> str:
    """One call or operation in one line."""
    if isinstance(part, Call):
        return part.title
    kinds = {"compiled": _("compiled: its inside is not seen"), "function": "autograd.Function"}
    more = f"  ({kinds[part.kind]})" if part.kind in kinds else ""
    return f"{part.name}  {flow(part)}{more}"


def described(graph: Graph, operation: Operation) -> list[tuple[str, str]]:
    """Everything about an operation: what it is called and what it is."""
    found = [(_("shapes"), flow(operation))]
    if why := str(explain(operation)):
        found.append((_("why"), why))
    if place := ".".join(part for call in graph.path(operation)[-1:] for part in [call.title]):
        found.append((_("module"), place))
    weights = [f"{value.label or value.name} {value.sides}" for value in operation.inputs if value.what == "parameter"]
    if weights:
        found.append((_("parameters"), ", ".join(weights)))
    if operation.backward:
        nodes = [node.name for node in operation.backward if not node.parameter]
        found.append((_("backward"), ", ".join(nodes[:6]) + (" …" if len(nodes) > 6 else "")))
    if operation.packed:
        found.append((_("held for backward"), _("nothing: computed again when it is needed (checkpoint)")))
    elif operation.saved_bytes:
        found.append((_("held for backward"), size(operation.saved_bytes)))
    if operation.source is not None:
        found.append((_("line"), f"{operation.source}  {operation.source.text}"))
    return found
