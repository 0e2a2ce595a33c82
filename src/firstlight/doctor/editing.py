"""Where a line stands in its program, and changes of whole statements: what rules offer as mechanical fixes."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit

Loop = ast.For | ast.AsyncFor | ast.While
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Spot:
    """A statement and what it stands in.

    Attributes:
        unit: The file or cell.
        node: The innermost statement that has the line.
        around: The statements that it is part of, the outermost first.
    """

    unit: Unit
    node: ast.stmt
    around: tuple[ast.AST, ...]

    @property
    def indent(self) -> str:
        """Its indentation."""
        line = self.unit.text.splitlines()[self.node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    @property
    def alone(self) -> bool:
        """Whether nothing else stands on its lines, so that lines can be added and taken away."""
        lines = self.unit.text.splitlines()
        first, last = lines[self.node.lineno - 1], lines[(self.node.end_lineno or self.node.lineno) - 1]
        after = last.encode()[self.node.end_col_offset or 0 :].decode().strip()
        return not first.encode()[: self.node.col_offset].strip() and (not after or after.startswith("#"))

    @property
    def function(self) -> ast.AST | None:
        """The function that it is part of, None outside of any."""
        return next((one for one in reversed(self.around) if isinstance(one, _FUNCTIONS)), None)

    @property
    def loops(self) -> list[Loop]:
        """The loops around it within its function, the innermost first."""
        found: list[Loop] = []
        for one in reversed(self.around):
            if isinstance(one, _FUNCTIONS):
                break
            if isinstance(one, Loop):
                found.append(one)
        return found

    @property
    def text(self) -> str:
        """The statement as it stands."""
        return ast.get_source_segment(self.unit.text, self.node) or ""

    @property
    def place(self) -> Place:
        """Its first line."""
        return self.unit.place(self.node)

    def before(self, *new: str) -> Edit:
        """Put lines in front of it, at its indentation."""
        return Edit(self.node.lineno, 0, tuple(self.indent + line for line in new), self.unit.file)

    def after(self, *new: str) -> Edit:
        """Put lines behind it, at its indentation."""
        line = (self.node.end_lineno or self.node.lineno) + 1
        return Edit(line, 0, tuple(self.indent + one for one in new), self.unit.file)

    def without(self) -> Edit:
        """Take it away; where nothing else stands in its block, `pass` does."""
        count = (self.node.end_lineno or self.node.lineno) - self.node.lineno + 1
        new = () if len(self.block()) > 1 else (self.indent + "pass",)
        return Edit(self.node.lineno, count, new, self.unit.file)

    def replaced(self, old: str, new: str) -> Edit | None:
        """The same statement with one text in place of another; None where the old one does not stand there once."""
        first, last = self.node.lineno, self.node.end_lineno or self.node.lineno
        lines = self.unit.text.split("\n")[first - 1 : last]
        text = "\n".join(lines)
        if text.count(old) != 1:
            return None
        return Edit(first, len(lines), tuple(text.replace(old, new).split("\n")), self.unit.file)

    def of(self, node: ast.AST) -> "Spot | None":
        """The spot of a statement around this one."""
        at = next((at for at, one in enumerate(self.around) if one is node), None)
        return None if at is None or not isinstance(node, ast.stmt) else Spot(self.unit, node, self.around[:at])

    def last_of(self, loop: Loop) -> "Spot":
        """The last statement of a loop around this one."""
        at = next(at for at, one in enumerate(self.around) if one is loop)
        return Spot(self.unit, loop.body[-1], (*self.around[:at], loop))

    def block(self) -> list[ast.stmt]:
        """The statements among which it stands."""
        for one in reversed(self.around) if self.around else [self.unit.tree]:
            for block in _blocks(one):
                if self.node in block:
                    return block
        return self.unit.tree.body


def spot_of(code: Code, place: Place | None) -> Spot | None:
    """The innermost statement that a place is part of; None where the program does not have it."""
    if place is None:
        return None
    unit = next((one for one in code.units if one.file == place.file), None)
    if unit is None:
        return None
    found: Spot | None = None
    for node, around in _statements(unit.tree, ()):
        if node.lineno <= place.line <= (node.end_lineno or node.lineno):
            found = Spot(unit, node, around)  # those inside come later
    return found


def spots(code: Code) -> Iterator[Spot]:
    """All statements of a program, each before those inside of it."""
    for unit in code.units:
        for node, around in _statements(unit.tree, ()):
            yield Spot(unit, node, around)


def dotted(node: ast.AST) -> str | None:
    """`self.model` for a chain of names, None for anything else.

    Example:
        >>> dotted(ast.parse("self.model(x)", mode="eval").body.func)
        'self.model'
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def calls_in(node: ast.AST, *names: str) -> list[ast.Call]:
    """Calls within a statement with one of these last names; all calls where no name is given."""
    return [one for one in ast.walk(node) if isinstance(one, ast.Call) and (not names or callee(one) in names)]


def owner_of(spot: Spot | None, method: str) -> str | None:
    """What a method is called on in a statement, as `optimizer` in `optimizer.step()`; None where that is not sure."""
    if spot is None:
        return None
    names = {
        dotted(call.func.value)
        for call in calls_in(spot.node, method)
        if isinstance(call.func, ast.Attribute)
    }  # fmt: skip
    return names.pop() if len(names) == 1 else None


def optimizer_at(spot: Spot | None) -> str | None:
    """The optimizer that a statement steps: `opt` in `opt.step()` and in `scaler.step(opt)`."""
    if spot is None:
        return None
    calls = calls_in(spot.node, "step")
    steps = [(call, call.func.value) for call in calls if isinstance(call.func, ast.Attribute)]
    if len(steps) != 1:
        return None
    call, stepped = steps[0]
    owner = dotted(stepped)
    given = dotted(call.args[0]) if call.args else None
    if owner is not None and given is not None and _is_scaler(spot.unit, owner):
        return given
    return owner


def _is_scaler(unit: Unit, name: str) -> bool:
    """Whether other calls of its methods are those of a GradScaler."""
    scaled = [call.func for call in calls_in(unit.tree, "scale") if isinstance(call.func, ast.Attribute)]
    return any(dotted(one.value) == name for one in scaled)


def model_at(code: Code, spot: Spot | None) -> str | None:
    """The model that a statement calls: the one called name there whose `parameters()` the program asks for."""
    if spot is None:
        return None
    owners = {dotted(call.func.value) for _place, call, _unit in code.calls("parameters", "train", "eval", "to",
              "state_dict", "zero_grad") if isinstance(call.func, ast.Attribute)}  # fmt: skip
    called = {name for call in calls_in(spot.node) if (name := dotted(call.func)) is not None}
    found = called & owners
    return found.pop() if len(found) == 1 else None


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for name in ("handlers", "cases"):
        for inner in getattr(node, name, []):
            yield inner.body


def _statements(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[tuple[ast.stmt, tuple[ast.AST, ...]]]:
    here = around if isinstance(node, ast.Module) else (*around, node)
    for block in _blocks(node):
        for one in block:
            yield one, here
            yield from _statements(one, here)


def clearing(code: Code, backward: Place | None, stepped: Place | None) -> tuple[Edit, ...]:
    """Set the gradients back: in front of the backward pass, else behind the step; none where it is not sure where."""
    first, last = spot_of(code, backward), spot_of(code, stepped)
    name = optimizer_at(last)
    if last is None or name is None or not last.alone:
        return ()
    if first is not None and first.alone and first.unit is last.unit and first.function is last.function:
        return (first.before(f"{name}.zero_grad()"),)
    return (last.after(f"{name}.zero_grad()"),)


def assigned_at(spot: Spot | None) -> str | None:
    """The one name that a statement gives a value to; None where it is none or several."""
    if spot is None:
        return None
    node = spot.node
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return dotted(targets[0]) if len(targets) == 1 else None


def functions_of(code: Code, call: ast.Call) -> list[ast.FunctionDef]:
    r"""What a call may run of the program's own: functions and methods of this name, or `__call__` of what it names.

    Example:
        >>> text = "class A:\n    def __call__(self):\n        return 1\na = A()\na()\n"
        >>> code = Code([Unit("a.py", text)])
        >>> [one.name for one in functions_of(code, code.units[0].tree.body[-1].value)]
        ['__call__']
    """
    name = callee(call)
    if isinstance(call.func, ast.Call):
        classes = {callee(call.func)}  # Loss()(x)
    else:
        found = [one for _at, one, _unit in code.walk(ast.FunctionDef) if one.name == name]
        if found or not name:
            return found
        classes = set()
        for spot in spots(code):
            value = getattr(spot.node, "value", None)
            if (assigned_at(spot) or "").rsplit(".", 1)[-1] == name and isinstance(value, ast.Call):
                classes.add(callee(value))
    return [
        one
        for _at, kind, _unit in code.walk(ast.ClassDef)
        if kind.name in classes
        for one in kind.body
        if isinstance(one, ast.FunctionDef) and one.name in ("__call__", "forward")
    ]


def training_mode(code: Code, forward: Place | None, switched: Place | None) -> tuple[Edit, ...]:
    """`model.train()` before the batches of an epoch, or at each step where the evaluation is part of that loop."""
    spot, other = spot_of(code, forward), spot_of(code, switched)
    model = model_at(code, spot)
    if spot is None or model is None or not spot.alone:
        return ()
    target: Spot | None = spot
    if spot.loops and (other is None or spot.loops[0] not in (other.node, *other.around)):
        target = spot.of(spot.loops[0])
    return (target.before(f"{model}.train()"),) if target is not None and target.alone else ()


def number_changed(code: Code, made: Place | None, name: str, value: float) -> tuple[Edit, ...]:
    """Another value for a number that an optimizer is made with: there, or in the one line that sets it."""
    spot = spot_of(code, made)
    if spot is None:
        return ()
    new = f"{value:.10g}"
    for call in calls_in(spot.node):
        given = next((one.value for one in call.keywords if one.arg == name), None)
        if isinstance(given, ast.Constant):
            return (_constant(spot.unit, given, new),)
        if isinstance(given, ast.Name | ast.Attribute):
            last = dotted(given)
            found = [one for one in spots(code) if assigned_at(one) == last]
            if len(found) == 1 and isinstance(found[0].node, ast.Assign) and isinstance(
                found[0].node.value, ast.Constant
            ):  # fmt: skip
                return (_constant(found[0].unit, found[0].node.value, new),)
    return ()


def _constant(unit: Unit, node: ast.Constant, new: str) -> Edit:
    line = unit.text.split("\n")[node.lineno - 1].encode()
    changed = line[: node.col_offset] + new.encode() + line[node.end_col_offset or 0 :]
    return Edit(node.lineno, 1, (changed.decode(),), unit.file)
