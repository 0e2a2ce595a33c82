"""Pointing at the learner's line, and changing one expression of it: for rules whose cause is one call.

A call is only pointed at where it can be no other: the line that the trail saw, else the only one of its name in the
functions that ran. Of several candidates none is chosen, and the line of the loss stands for them.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, newest
from firstlight.run import Run

Function = ast.FunctionDef | ast.AsyncFunctionDef


def call_at(code: Code, place: Place | None, names: Iterable[str]) -> tuple[Place, ast.Call, Unit] | None:
    """The call of one of these names in the statement at a place; None where there is none, or more than one."""
    if place is None:
        return None
    names = {name.lower() for name in names}
    for unit in code.units:
        if unit.file != place.file:
            continue
        for statement in _statements(unit.tree, place.line):
            found = [
                node
                for node in ast.walk(statement)
                if isinstance(node, ast.Call) and callee(node).lower() in names and _spans(node, place.line)
            ]
            if len(found) == 1:
                return unit.place(found[0], place.function), found[0], unit
    return None


def only_call(
    code: Code, names: Iterable[str], *, near: Iterable[Place | None] = (), classes: Iterable[str] = ()
) -> tuple[Place, ast.Call, Unit] | None:
    """The only call of one of these names: in the functions around `near`, else in these classes, else at all.

    None as soon as a scope holds several, since then nothing says which one is meant.
    """
    wanted = set(names)
    scopes: list[list[tuple[Unit, ast.AST]]] = []
    around = [scope for place in near if place is not None for scope in [function_around(code, place)] if scope]
    if around:
        scopes.append(around)
    bodies = [(unit, node) for _place, node, unit in code.walk(ast.ClassDef) if node.name in set(classes)]
    if bodies:
        scopes.append(bodies)
    scopes.append([(unit, unit.tree) for unit in code.units])
    for scope in scopes:
        found: dict[tuple[str, int, int], tuple[Place, ast.Call, Unit]] = {}
        for unit, tree in scope:
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and callee(node) in wanted:
                    found[unit.file, node.lineno, node.col_offset] = (unit.place(node), node, unit)
        if len(found) == 1:
            return next(iter(found.values()))
        if len(found) > 1:
            return None
    return None


def feeder(
    run: Run, row: dict[str, Any], functions: Iterable[str], layers: Iterable[str]
) -> tuple[Place | None, tuple[Edit, ...]]:
    """The line of what feeds a loss (an entry of the fact `loss_heads`), and the change that leaves it out.

    Args:
        run: The record.
        row: The entry.
        functions: Names that it may have as a function, a method or an attribute.
        layers: Names of the layers that do the same.
    """
    code = Code.of(run)
    functions, layers = tuple(functions), tuple(layers)
    line = Place.from_json(row["line"])
    models = newest(run, "graph_models") or []
    classes = [name for model in models for _file, _line, name in model["forwards"]]
    found = call_at(code, line, (*functions, *layers))
    if found is None and row["layer"]:
        found = _in_sequence(code, *row["layer"]) or only_call(code, layers, classes=classes)
    if found is None and line is None:
        called = [Place.from_json(model["called"]) for model in models]
        near = [Place.from_json(row["loss"]), Place.from_json(row["backward"]), *called]
        found = only_call(code, (*functions, *layers), near=near, classes=classes)
    if found is None:
        return line or Place.from_json(row["loss"]) or Place.from_json(row["backward"]), ()
    return found[0], dropped(found[2], found[1])


def loss_line(run: Run, row: dict[str, Any]) -> Place | None:
    """Where a loss is computed: the call that was heard, else the assignment of what goes backward, else `backward`."""
    place = Place.from_json(row.get("loss"))
    backward = Place.from_json(row.get("backward"))
    if place is not None or backward is None:
        return place or backward
    found = _assigned(Code.of(run), backward)
    return found if found is not None else backward


def _assigned(code: Code, backward: Place) -> Place | None:
    """The last assignment, above a line `loss.backward()`, of its loss; or the `return` of the function it calls."""
    around = function_around(code, backward)
    called = call_at(code, backward, ("backward",))
    if around is None or called is None:
        return None
    func = called[1].func
    loss = func.value if isinstance(func, ast.Attribute) else None
    while isinstance(loss, ast.BinOp | ast.Attribute):  # (loss / 4).backward()
        loss = loss.left if isinstance(loss, ast.BinOp) else loss.value
    if not isinstance(loss, ast.Name):
        return None
    unit, tree = around
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and node.lineno <= backward.line
        and any(isinstance(target, ast.Name) and target.id == loss.id for target in node.targets)
    ]
    if not found:
        return None
    last = max(found, key=lambda node: node.lineno)
    if isinstance(last.value, ast.Call):
        functions = [
            (place, node, at) for place, node, at in code.walk(ast.FunctionDef) if node.name == callee(last.value)
        ]
        returns = [
            (at, inner) for _place, node, at in functions for inner in ast.walk(node) if isinstance(inner, ast.Return)
        ]
        if len(functions) == 1 and len(returns) == 1:
            return returns[0][0].place(returns[0][1])
    return unit.place(last)


def layer_made(run: Run, name: str, layer: str) -> tuple[Place, ast.Call, Unit] | None:
    """Where the layer with this name within a root, such as `encoder.fc`, is made: `self.fc = nn.Linear(...)`."""
    code = Code.of(run)
    last = name.rsplit(".", 1)[-1]
    if last.isdigit():
        return _in_sequence(code, layer, name)
    classes = {one for model in newest(run, "graph_models") or [] for _file, _line, one in model["forwards"]}
    found = []
    for _place, body, unit in code.walk(ast.ClassDef):
        if body.name not in classes:
            continue
        for node in ast.walk(body):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and callee(node.value) == layer:
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and target.attr == last:
                        found.append((unit.place(node.value), node.value, unit))
    return found[0] if len(found) == 1 else None


def part_made(run: Run, name: str) -> Place | None:
    """Where what holds a layer is assigned: of `blocks.2`, the only `self.blocks = ...` of a class that runs."""
    code = Code.of(run)
    parts = [part for part in name.split(".") if not part.isdigit()]
    if not parts:
        return None
    classes = {one for model in newest(run, "graph_models") or [] for _file, _line, one in model["forwards"]}
    found = [
        unit.place(node)
        for _place, body, unit in code.walk(ast.ClassDef)
        if body.name in classes
        for node in ast.walk(body)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Attribute) and target.attr == parts[-1] for target in node.targets)
    ]
    return found[0] if len(found) == 1 else None


def _in_sequence(code: Code, layer: str, name: str) -> tuple[Place, ast.Call, Unit] | None:
    """Where the layer with this name within a model, such as `net.5`, is made as an argument of `nn.Sequential`."""
    last = name.rsplit(".", 1)[-1]
    if not last.isdigit():
        return None
    at = int(last)
    found = []
    for _place, node, unit in code.calls("Sequential"):
        made = node.args[at] if at < len(node.args) else None
        if isinstance(made, ast.Call) and callee(made) == layer:
            found.append((unit.place(made), made, unit))
    return found[0] if len(found) == 1 else None


def function_around(code: Code, place: Place) -> tuple[Unit, ast.AST] | None:
    """The innermost function that a place lies in; outside of any, the whole file or cell."""
    for unit in code.units:
        if unit.file == place.file:
            inner: ast.AST = unit.tree
            for node in unit.nodes:
                if isinstance(node, Function) and _spans(node, place.line):
                    inner = node  # ast.walk goes from the outside in
            return unit, inner
    return None


def instead(unit: Unit, node: ast.expr, text: str) -> tuple[Edit, ...]:
    r"""The change that puts a text in the place of an expression; nothing where it spans lines of other statements.

    Example:
        >>> unit = Unit("a.py", "loss = f(softmax(x, 1), y)\n")
        >>> node = unit.tree.body[0].value.args[0]
        >>> instead(unit, node, "x")[0].apply(unit.text)
        'loss = f(x, y)\n'
    """
    if node.end_lineno is None or node.end_col_offset is None:
        return ()
    lines = unit.text.splitlines()
    first = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    last = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
    new = (first + text + last).split("\n")
    return (Edit(line=node.lineno, old=node.end_lineno - node.lineno + 1, new=tuple(new), file=unit.file),)


def dropped(unit: Unit, call: ast.Call) -> tuple[Edit, ...]:
    """The change that leaves a function of one tensor out: its argument alone stays, or `nn.Identity()` of a layer.

    `F.softmax(x, dim=1)` and `x.softmax(1)` become `x`; `nn.Softmax(dim=1)` becomes `nn.Identity()`.
    """
    name = callee(call)
    if name[:1].isupper():  # a layer that is made
        owner = ast.get_source_segment(unit.text, call.func) or name
        return instead(unit, call, owner[: len(owner) - len(name)] + "Identity()") if "." in owner else ()
    inner = subject_of(call)
    text = ast.get_source_segment(unit.text, inner) if inner is not None else None
    return instead(unit, call, text) if text else ()


def subject_of(call: ast.Call) -> ast.expr | None:
    """What a call works on: `x` of `F.softmax(x)`, of `self.softmax(x)`, of `x.softmax()`; None where that is unsure.

    Example:
        >>> [ast.unparse(subject_of(ast.parse(t).body[0].value)) for t in ("F.relu(a)", "b.relu()", "self.act(c)")]
        ['a', 'b', 'c']
    """
    for keyword in call.keywords:
        if keyword.arg == "input":
            return keyword.value
    if call.args and not isinstance(call.args[0], ast.Constant | ast.UnaryOp | ast.Starred):
        return call.args[0]
    func = call.func
    if isinstance(func, ast.Attribute) and ast.unparse(func.value) not in ("F", "torch", "nn", "self", "nn.functional"):
        return func.value
    return None


def argument(call: ast.Call, name: str, at: int | None = None) -> ast.expr | None:
    """What a call is given under a name or at a position."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[at] if at is not None and at < len(call.args) else None


def with_argument(unit: Unit, call: ast.Call, name: str, value: str, at: int | None = None) -> tuple[Edit, ...]:
    r"""The change that gives a call this argument.

    Example:
        >>> unit = Unit("a.py", "rnn = nn.LSTM(4, 8)\n")
        >>> with_argument(unit, unit.tree.body[0].value, "batch_first", "True")[0].apply(unit.text)
        'rnn = nn.LSTM(4, 8, batch_first=True)\n'
    """
    there = argument(call, name, at)
    if there is not None:
        return instead(unit, there, value)
    text = ast.get_source_segment(unit.text, call)
    if not text or not text.endswith(")"):
        return ()
    inside = text[:-1].rstrip()
    comma = "" if inside.endswith("(") else " " if inside.endswith(",") else ", "
    return instead(unit, call, f"{inside}{comma}{name}={value})")


def _statements(tree: ast.Module, line: int) -> Iterator[ast.stmt]:
    """The statements without a body that span a line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and _spans(node, line):
            yield node


def _spans(node: Any, line: int) -> bool:
    return bool(node.lineno <= line <= (node.end_lineno or node.lineno))
