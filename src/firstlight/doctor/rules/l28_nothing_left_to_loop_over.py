"""L28 nothing-left-to-loop-over: a generator or iterator is made once, and used up by the first epoch."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, calls_in, dotted, spots
from firstlight.doctor.rule import Edit, Finding, Rule
from firstlight.locale import Text, _
from firstlight.run import Run

_ONCE = ("zip", "map", "filter", "iter", "enumerate", "reversed")


def find(run: Run) -> Iterator[Finding]:
    """A loop within a loop, over a name that holds something which can be gone through only once."""
    code = Code.of(run)
    generators = {
        spot.node.name
        for spot in spots(code)
        if isinstance(spot.node, ast.FunctionDef) and _yields(spot.node) and spot.function is None
    }
    methods = {
        spot.node.name for spot in spots(code)
        if spot.function is None and spot.around and isinstance(spot.node, ast.FunctionDef) and _yields(spot.node)
    }  # fmt: skip
    for spot in spots(code):
        if not isinstance(spot.node, ast.For) or (spot.loops and not isinstance(spot.loops[-1], ast.For)):
            continue
        over = spot.node.iter
        if isinstance(over, ast.Call) and callee(over) == "enumerate" and over.args:
            over = over.args[0]
        name = dotted(over)
        if name is None or not _learns(code, spot):
            continue
        made = [
            one
            for one in spots(code)
            if one.unit is spot.unit and one.function is spot.function and assigned_at(one) == name
        ]
        handed = None
        if not made:
            handed = _handed(code, spot, name)
            if handed is None:
                continue
            value, made = handed
        elif not spot.loops or len(made) != 1 or not isinstance(made[0].node, ast.Assign) or made[0].loops:
            continue
        else:
            value = made[0].node.value
        once = isinstance(value, ast.GeneratorExp) or (
            isinstance(value, ast.Call)
            and (
                (isinstance(value.func, ast.Name) and value.func.id in {*_ONCE, *generators})
                or (isinstance(value.func, ast.Attribute) and value.func.attr in methods)
            )
        )
        if not once or (handed is None and made[0].node.lineno > spot.node.lineno):
            continue
        yield Finding(
            evidence=_(
                "{name} is made once, in line {line}, and can be gone through once. "
                "The loop over it stands in another loop.",
                name=name,
                line=made[0].node.lineno,
            ),
            step=None,
            place=spot.place,
            places=(made[0].place,),
            edits=_each_time(spot, made[0]) if handed is None else (),
        )


def _handed(code: Code, spot: Spot, name: str) -> tuple[ast.expr, list[Spot]] | None:
    """What the one call of a function, or of a class, hands over for a parameter or an attribute; and where."""
    function = spot.function
    owner: str | None = getattr(function, "name", None)
    field = _field(code, name)
    if field is not None:
        owner, names = field
        return _given(code, spot, owner, names, name.rsplit(".", 1)[-1], again=_is_called_again(code, spot))
    again = name.startswith("self.") and _is_called_again(code, spot)
    if name.startswith("self."):
        around = [one for one in spot.around if isinstance(one, ast.ClassDef)]
        inits = [one for kind in around for one in kind.body if getattr(one, "name", "") == "__init__"]
        kept = [
            one
            for one in spots(code)
            if one.unit is spot.unit
            and assigned_at(one) == name
            and isinstance(one.node, ast.Assign)
            and any(kind in one.around for kind in around)
        ]
        given = [one.node.value for one in kept if isinstance(one.node, ast.Assign)]
        if len(inits) != 1 or len(given) != 1:
            return None
        if isinstance(given[0], ast.Call | ast.GeneratorExp):  # made by the class itself
            made = [one for one in spots(code) if calls_in(one.node, around[-1].name) and not _is_block(one.node)]
            once = len(made) == 1 and not made[0].loops and kept[0].function is inits[0]
            return (given[0], kept) if once and (spot.loops or again) else None
        if not isinstance(given[0], ast.Name):
            return None
        function, owner, name = inits[0], around[-1].name, given[0].id
    if not isinstance(function, ast.FunctionDef) or owner is None:
        return None
    return _given(code, spot, owner, [one.arg for one in function.args.args if one.arg != "self"], name, again=again)


def _is_called_again(code: Code, spot: Spot) -> bool:
    """Whether a loop calls the function that a statement is part of."""
    name = getattr(spot.function, "name", None)
    return name is not None and any(calls_in(loop, name) for _at, loop, _unit in code.walk(ast.For))


def _is_block(node: ast.stmt) -> bool:
    return hasattr(node, "body")


def _field(code: Code, name: str) -> tuple[str, list[str]] | None:
    """The one class with fields (a dataclass, a named tuple) that has this attribute, and all its fields in order."""
    if "." not in name:
        return None
    found = []
    for _at, kind, _unit in code.walk(ast.ClassDef):
        fields = [
            one.target.id for one in kind.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        ]
        if name.rsplit(".", 1)[-1] in fields and not any(getattr(one, "name", "") == "__init__" for one in kind.body):
            found.append((kind.name, fields))
    return found[0] if len(found) == 1 else None


def _given(
    code: Code, spot: Spot, owner: str, names: list[str], name: str, *, again: bool = False
) -> tuple[ast.expr, list[Spot]] | None:
    """What the one call of `owner` hands over as this one of its parameters."""
    if name not in names:
        return None
    at = names.index(name)
    found: dict[int, tuple[ast.expr, Spot]] = {}  # the innermost statement of each call
    for other in spots(code):
        if isinstance(other.node, ast.FunctionDef | ast.ClassDef):
            continue
        for call in calls_in(other.node, owner):
            by_name = [one.value for one in call.keywords if one.arg == name]
            value = by_name[0] if by_name else call.args[at] if at < len(call.args) else None
            if value is None:
                return None
            if id(call) not in found or len(found[id(call)][1].around) < len(other.around):
                found[id(call)] = (value, other)
    if len(found) != 1:
        return None
    value, where = next(iter(found.values()))
    # Handed over once and gone through in a loop, or gone through once by a function that a loop calls: not both.
    if bool(where.loops) == (bool(spot.loops) or again) or (where.loops and not isinstance(where.loops[-1], ast.For)):
        return None
    if dotted(value) is None:
        return None if where.loops else (value, [where])
    made = [
        one
        for one in spots(code)
        if one.unit is where.unit and one.function is where.function and assigned_at(one) == dotted(value)
    ]
    if len(made) != 1 or not isinstance(made[0].node, ast.Assign) or made[0].loops:
        return None
    return made[0].node.value, made


def _yields(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(node))


def _learns(code: Code, spot: Spot) -> bool:
    """Whether a step is made in the loop, or by a function that it calls, and nothing leaves it early."""
    called = {callee(one) for one in ast.walk(spot.node) if isinstance(one, ast.Call)}
    left = any(isinstance(one, ast.Break) for one in ast.walk(spot.node))
    if left:
        return False
    if called & {"backward", "step", "train_step", "training_step", "train_batch", "update"}:
        return True
    return any(
        function.name in called and bool(calls_in(function, "backward"))
        for _at, function, _unit in code.walk(ast.FunctionDef)
    )


def _each_time(spot: Spot, made: Spot) -> tuple[Edit, ...]:
    """The statement that makes it, moved to where each epoch begins: the later line first."""
    if not spot.alone or not made.alone:
        return ()
    return (spot.before(*made.text.splitlines()), made.without())


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = zip(x.split(16), y.split(16))
for epoch in range(4):
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
LEARN = """\
def learn(batches):
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

rule = Rule(
    code="L28",
    name="nothing-left-to-loop-over",
    voice="alarm",
    stage="data",
    question="Does each epoch have batches?",
    needs=("code",),
    find=find,
    text=Text(
        what="Only the first epoch has batches: what the loop goes through is used up after it.",
        why="A generator, zip() or iter() gives each item once. A second loop over the same object finds nothing.",
        do="Make it inside of the loop over epochs, or use a list or a DataLoader, which begin again each time.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("zip(x.split(16), y.split(16))", "list(zip(x.split(16), y.split(16)))"),
    lookalikes={
        "a function is handed new ones for each epoch": BROKEN[: BROKEN.index("batches")]
        + LEARN
        + "for epoch in range(4):\n    learn(zip(x.split(16), y.split(16)))\n",
        "made anew for each epoch": BROKEN.replace("batches = zip(x.split(16), y.split(16))\n", "").replace(
            "    for inputs", "    batches = zip(x.split(16), y.split(16))\n    for inputs"
        ),
        "goes on where it stopped": BROKEN.replace(
            "    for inputs, labels in batches:\n",
            "    for inputs, labels in batches:\n        if labels.sum() > 99:\n            break\n",
        ),
    },
    explains=("D23", "L15"),
)
