"""For rules about exceptions: what the fact `failure` says, which line failed, and what would fit there."""

import re
import textwrap
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import newest
from firstlight.graph.failure import Advice, advise
from firstlight.graph.operations import Call, Graph, Operation, Value
from firstlight.locale import _
from firstlight.run import Run

Failure = dict[str, Any]


def failure_of(run: Run, *patterns: str, types: tuple[str, ...] = ()) -> Failure | None:
    """What ended the program, where its message has one of these patterns and its class one of these names."""
    found: Failure | None = newest(run, "failure")
    if found is None or not found["frames"] or found["raised"] or (types and not set(types) & set(found["bases"])):
        return None
    return found if any(re.search(pattern, found["message"], re.IGNORECASE) for pattern in patterns) else None


def line_of(failure: Failure) -> Place | None:
    """The learner's innermost line."""
    return Place.from_json(failure["frames"][-1])


def lines_above(failure: Failure, code: Code) -> tuple[Place, ...]:
    """The lines that called it, the nearest first."""
    files = {unit.file for unit in code.units}
    return tuple(Place(**one) for one in reversed(failure["frames"][:-1]) if one["file"] in files)


def error_of(failure: Failure) -> str:
    """What PyTorch says, in one line."""
    lines = [line.strip() for line in failure["message"].splitlines() if line.strip()]
    said = lines[0].split(" Hint:")[0] if lines else ""
    return f"{failure['type']}: {textwrap.shorten(said, 200, placeholder=' ...')}" if said else str(failure["type"])


def advice_of(failure: Failure) -> Advice | None:
    """What the operation expected, what it got and what would fit; None where nothing certain can be said."""
    graph = graph_of(failure)
    return advise(graph) if graph is not None else None


def graph_of(failure: Failure) -> Graph | None:
    """The operation that failed, as the only one of a graph."""
    row = failure["operation"]
    if row is None:
        return None
    inputs = tuple(
        Value(tuple(one["shape"]), one["dtype"], 0, one["device"], one["name"], one["what"]) for one in row["inputs"]
    )
    module = row["module"]
    calls = [Call(0, None, module["name"], module["class"], settings=module["settings"])] if module else []
    call, error = 0 if calls else None, row["error"] or failure["message"]
    op = Operation(0, row["name"], inputs, (), row["arguments"], call=call, error=error)
    return Graph((), calls, failed=op)


def tensor_of(failure: Failure, name: str) -> dict[str, Any] | None:
    """What the operation was given under a name: its shape, dtype and device."""
    row = failure["operation"]
    found = row["arguments"].get(name) if row is not None else None
    return row["inputs"][found["tensor"]] if row is not None and isinstance(found, dict) else None


def squeezed(failure: Failure) -> bool:
    """Whether a loss was given an output that has lost the side of a batch of one."""
    output, target = tensor_of(failure, "input"), tensor_of(failure, "target")
    if output is None or target is None:
        return False
    return len(target["shape"]) > 0 and target["shape"][0] == 1 and not output["shape"]


def one_hot(failure: Failure) -> bool:
    """Whether cross-entropy was given labels that are no class numbers."""
    target = tensor_of(failure, "target")
    return "multi-target" in failure["message"] and target is not None and target["shape"][-1:] != [1]


def layer_of(failure: Failure) -> str:
    """The layer that ran, such as `fc (Linear)`; empty outside of all layers."""
    module = (failure["operation"] or {}).get("module")
    if not module:
        return ""
    return f"{module['name']} ({module['class']})" if module["name"] else str(module["class"])


def shapes_of(failure: Failure) -> str:
    """The tensors of the line that failed, such as `x (8, 144) float32`."""
    operation = failure["operation"] or {"name": "", "inputs": []}
    if operation["name"] in ("backward", "step"):
        return ""
    rows = operation["inputs"]
    named = {one["name"] or str(at): one for at, one in enumerate(rows)} or failure["tensors"]
    text = failure["frames"][-1]["text"]
    if named is failure["tensors"]:
        named = {name: one for name, one in named.items() if re.search(rf"\b{re.escape(name)}\b", text)} or named
    return ", ".join(f"{name} {_shape(one)} {one['dtype']}" for name, one in list(named.items())[:4])


def _shape(row: dict[str, Any]) -> str:
    return str(tuple(row["shape"]))


def evidence_of(failure: Failure) -> str:
    """What PyTorch says, and the tensors that were there."""
    shapes = shapes_of(failure)
    if not shapes:
        return error_of(failure)
    return _("{error}. Here were: {tensors}.", error=error_of(failure).rstrip("."), tensors=shapes)


def came_back(run: Run) -> bool:
    """Whether a change in place was met in a graph of an earlier batch: a kept state led there, past a step.

    Of several optimizers each may step between the passes of the same batch, which is another matter.
    """
    failure = failure_of(run, r"modified by an inplace", types=("RuntimeError",))
    if failure is None or not (failure.get("twice") or {}).get("carried"):
        return False
    return sum(bool(row["steps"]) for row in newest(run, "frozen") or []) == 1
