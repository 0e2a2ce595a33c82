"""Loops over batches, as text: which names a loop makes anew for each batch, and which it carries from one to the next.

What holds is read from definitions and uses in the order of lines, not from what names sound like.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.rule import newest
from firstlight.run import Run

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_SHOWN = ("print", "set_postfix", "set_description", "write", "append", "add_scalar", "log", "info", "extend", "update",
          "debug", "put", "add", "setdefault", "insert", "display", "log_metrics", "record")  # fmt: skip


@dataclass(frozen=True)
class BatchLoop:
    """A `for` over batches in which nothing goes backward.

    Attributes:
        unit: The file or cell.
        node: The loop.
        scope: The function that it is part of, or the whole file.
        after: The statements behind it, in its block and in those around it, within its scope.
        loader: What is known of it as a loop over a loader: `most`, `smallest`, `largest`; None for slices.
    """

    unit: Unit
    node: ast.For
    scope: ast.AST
    after: tuple[ast.stmt, ...]
    loader: dict[str, Any] | None

    @cached_property
    def assigned(self) -> dict[str, list[ast.stmt]]:
        """Names that statements of the loop give values to, with these statements."""
        found: dict[str, list[ast.stmt]] = {}
        for node in inside(self.node):
            for name in targets(node):
                found.setdefault(name, []).append(node)  # type: ignore[arg-type]
        return found

    @cached_property
    def fed(self) -> set[str]:
        """Names that come from the loop's own variables, directly or by what was made of them."""
        fed = {node.id for node in ast.walk(self.node.target) if isinstance(node, ast.Name)}
        while True:
            more = {name for name, nodes in self.assigned.items() if any(reads(node) & fed for node in nodes)} - fed
            if not more:
                return fed
            fed |= more

    @cached_property
    def carried(self) -> set[str]:
        """Names that hold something of earlier batches: added to, grown, or made of themselves."""
        carried: set[str] = set()
        for name, nodes in self.assigned.items():
            if any(isinstance(node, ast.AugAssign) or name in reads(node) for node in nodes):
                carried.add(name)
        for node in inside(self.node):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if node.func.attr in ("append", "extend", "update", "add") and isinstance(owner, ast.Name):
                    carried.add(owner.id)
        while True:
            more = {name for name, nodes in self.assigned.items() if any(reads(node) & carried for node in nodes)}
            if more <= carried:
                return carried
            carried |= more

    def is_shown(self, name: str) -> bool:
        """Whether the loop itself prints, keeps or adds up what a name holds."""
        for node in inside(self.node):
            if isinstance(node, ast.Call) and callee(node) in _SHOWN and name in reads(node):
                return True
            if isinstance(node, ast.AugAssign) and name in reads(node):
                return True
            kept = isinstance(node, ast.Assign) and any(isinstance(one, ast.Subscript) for one in node.targets)
            if kept and name in reads(getattr(node, "value", None)):
                return True
            if isinstance(node, ast.Yield | ast.Return | ast.If) and name in reads(_tested(node)):
                return True
        return False

    def used_after(self, name: str) -> ast.stmt | None:
        """The first statement behind the loop that reads a name before anything else is given it."""
        for node in self.after:
            if name in reads(node):
                return node
            if name in targets(node):
                return None
        return None

    @property
    def ends_early(self) -> bool:
        """Whether it is left in the middle."""
        return any(isinstance(node, ast.Break | ast.Return) for node in inside(self.node))


def batch_loops(run: Run, code: Code) -> Iterator[BatchLoop]:
    """Loops that were given several batches and learn from none.

    Over a loader: as it was seen to be iterated over. Over slices: where a model was called in it, and not to learn.
    """
    seen = newest(run, "lines_run")
    if seen is None:
        return
    for unit in code.units:
        for scope in [unit.tree, *(node for node in unit.nodes if isinstance(node, _FUNCTIONS[:2]))]:
            for loop, after in loops_of(scope):
                if any(isinstance(node, ast.Call) and callee(node) in ("backward", "step") for node in ast.walk(loop)):
                    continue
                loader = next(
                    (one for one in seen["loops"] if one["file"] == unit.file and one["line"] == loop.lineno), None
                )
                calls = [
                    one
                    for one in seen["calls"]
                    if one["file"] == unit.file and loop.lineno < one["line"] <= (loop.end_lineno or 0)
                ]
                if loader is not None and loader["most"] < 2:
                    continue
                if loader is None and not (_over_slices(loop) and any(one["times"] >= 2 for one in calls)):
                    continue
                yield BatchLoop(unit, loop, scope, after, loader)


def loops_of(scope: ast.AST) -> Iterator[tuple[ast.For, tuple[ast.stmt, ...]]]:
    """The loops of a function, or of a file outside of any, each with what runs behind it."""

    def walk(block: list[ast.stmt], after: tuple[ast.stmt, ...]) -> Iterator[tuple[ast.For, tuple[ast.stmt, ...]]]:
        for at, node in enumerate(block):
            behind = (*block[at + 1 :], *after)
            if isinstance(node, _FUNCTIONS):
                continue
            if isinstance(node, ast.For):
                yield node, behind
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(node, name, None)
                if isinstance(inner, list):
                    yield from walk(inner, behind)

    yield from walk(getattr(scope, "body", []), ())


def inside(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a statement's body, without functions that are defined there."""
    for name in ("body", "orelse", "finalbody"):
        for child in getattr(node, name, []) or []:
            if isinstance(child, _FUNCTIONS):
                continue
            yield child
            yield from (one for one in _all(child) if one is not child)


def _all(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            yield from _all(child)


def targets(node: ast.AST) -> set[str]:
    """Names that a statement gives values to."""
    if isinstance(node, ast.Assign):
        parts: list[ast.AST] = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        parts = [node.target]
    else:
        return set()
    found: set[str] = set()
    for part in parts:
        for one in [part, *(part.elts if isinstance(part, ast.Tuple | ast.List) else [])]:
            name = dotted(one)
            if name is not None:
                found.add(name)
    return found


def reads(node: ast.AST | None) -> set[str]:
    """Names whose values a node uses; of a loop, only what it runs over and what it does."""
    if node is None:
        return set()
    found = {
        name
        for one in _all(node)
        if isinstance(one, ast.Name | ast.Attribute) and isinstance(one.ctx, ast.Load)
        if (name := dotted(one)) is not None
    }
    if isinstance(node, ast.AugAssign):
        found |= targets(node)
    return found


def _tested(node: ast.AST) -> ast.AST | None:
    return node.test if isinstance(node, ast.If) else getattr(node, "value", None)


def _over_slices(loop: ast.For) -> bool:
    """Whether a loop goes over parts of tensors: `range(0, n, size)` with slices, `split`, `chunk`."""
    calls = [node for node in ast.walk(loop.iter) if isinstance(node, ast.Call)]
    if any(callee(call) in ("split", "chunk", "array_split") for call in calls):
        return True
    stepped = any(callee(call) == "range" and len(call.args) == 3 for call in calls)
    named = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    slices = [node for node in inside(loop) if isinstance(node, ast.Slice)]
    return stepped and any(reads(node) & named for node in slices)


def is_measure(node: ast.AST, losses: set[str]) -> bool:
    """Whether an expression compares with labels, or asks a loss: makes a number that says how good a model is."""
    for one in ast.walk(node):
        if isinstance(one, ast.Compare) and any(isinstance(op, ast.Eq) for op in one.ops):
            return True
        if isinstance(one, ast.Call):
            name = callee(one).lower()
            if name in ("eq", "accuracy", "acc", "f1") or name.endswith(
                ("_loss", "accuracy", "_score", "cross_entropy")
            ):
                return True
            if name in losses:
                return True
    return False


def losses_of(code: Code) -> set[str]:
    """What the learner calls the losses that they have made, in small letters; `criterion` and `loss_fn` by custom."""
    found = {"criterion", "loss_fn", "loss_function", "loss_func"}
    for _place, node, _unit in code.walk(ast.Assign):
        if isinstance(node.value, ast.Call) and callee(node.value).endswith("Loss"):
            found |= {name.rsplit(".", 1)[-1].lower() for name in targets(node)}
    return found
