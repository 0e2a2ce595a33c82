"""P07 name-used-twice: the result of a call has taken the name of what was called."""

import ast
import builtins
import re
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit
from firstlight.doctor.editing import dotted
from firstlight.doctor.failing import error_of, failure_of, line_of
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import instead
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_OF_MODELS = "parameters|named_parameters|train|eval|state_dict|load_state_dict|zero_grad|modules"
_LOOPS = (ast.For, ast.While)


def find(run: Run) -> Iterator[Finding]:
    """A call of what is no function any more; before it is run, a call in a loop that takes its own name."""
    code = Code.of(run)
    failure = failure_of(
        run,
        r"'\w+' object is not callable",
        rf"'Tensor' object has no attribute '({_OF_MODELS})'",
        r"cannot assign '.*' as child module '\w+'",
        types=("TypeError", "AttributeError"),
    )
    if failure is not None:
        at = line_of(failure)
        name = _name(code, at, failure["call"], failure["message"])
        taken = _taken(code, name, at) if name else None
        if name is None or at is None or taken is None:
            return
        yield Finding(
            evidence=error_of(failure),
            step=failure["step"],
            place=taken[0],
            places=(at,) if at != taken[0] else (),
            values={"name": name},
            edits=_renamed(code, name),
            check=f"print(type({name}))  # directly above the line that failed",
        )
    elif newest(run, "witness") is None:  # only read, not run: when it is run, an error tells
        for place, name, loop in _in_loops(code):
            others = [one for one in ast.walk(loop) if isinstance(one, ast.Name) and one.id == name]
            if sum(isinstance(one.ctx, ast.Store) for one in others) == 1:
                yield Finding(
                    evidence=_("The loop calls {name}, and gives the result the same name.", name=name),
                    place=place,
                    voice="question",
                    values={"name": name},
                    edits=_renamed(code, name),
                )


def _name(code: Code, at: Place | None, call: dict[str, str] | None, message: str) -> str | None:
    """What was called, or asked for its weights."""
    child = re.search(r"as child module '(\w+)'", message)
    if child is not None:
        return f"self.{child[1]}"
    if call is not None and "not callable" in message:
        return call["called"] if re.fullmatch(r"(self\.)?\w+", call["called"]) else None
    if at is None:
        return None
    pattern = rf"(\w+)\.(?:{_OF_MODELS})\b" if "attribute" in message else r"(?<![.\w])(\w+)\("
    found = set(re.findall(pattern, at.text))
    taken = [name for name in found if _taken(code, name, at) is not None]
    return taken[0] if len(taken) == 1 else None


def _taken(code: Code, name: str, at: Place | None) -> tuple[Place, ast.AST] | None:
    """Where the name was given to something else: by `name = name(...)`, else by the last assignment above."""
    assigned = [
        (place, node)
        for place, node, _unit in code.walk(ast.Assign)
        if any(dotted(one) == name for one in _targets(node))
    ]
    for place, node in assigned:
        if any(_calls(one, name) for one in ast.walk(node.value)):
            return place, node
    functions = [node for kind in (ast.FunctionDef, ast.ClassDef) for _p, node, _u in code.walk(kind)]
    meant = hasattr(builtins, name) or any(node.name == name for node in functions) or len(assigned) > 1
    above = [one for one in assigned if at is not None and one[0].file == at.file and one[0].line < at.line]
    found = above or assigned
    return found[-1] if found and meant else None


def _targets(node: ast.Assign) -> Iterator[ast.expr]:
    for target in node.targets:
        yield from target.elts if isinstance(target, ast.Tuple) else [target]


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == name


def _in_loops(code: Code) -> Iterator[tuple[Place, str, ast.AST]]:
    for unit in code.units:
        for loop in unit.nodes:
            if not isinstance(loop, _LOOPS):
                continue
            for node in ast.walk(loop):
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
                    target = node.targets[0]
                    if isinstance(target, ast.Name) and _calls(node.value, target.id) and len(node.value.args) > 1:
                        yield unit.place(node), target.id, loop


def _renamed(code: Code, name: str) -> tuple[Edit, ...]:
    """A name of its own for a loss function: where it is made, and where it is called."""
    made = [
        (unit, node)
        for _place, node, unit in code.walk(ast.Assign)
        if isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).endswith("Loss")
        and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    ]
    if len(made) != 1 or len(made[0][1].targets) != 1:
        return ()
    unit: Unit = made[0][0]
    known = {node.id for node in unit.nodes if isinstance(node, ast.Name)}
    new = next(one for one in ("criterion", f"{name}_function", f"{name}_function_") if one not in known)
    nodes = [made[0][1].targets[0], *(node.func for node in unit.nodes if _calls(node, name))]  # type: ignore[attr-defined]
    if len({node.lineno for node in nodes}) < len(nodes):
        return ()
    return tuple(edit for node in nodes for edit in instead(unit, node, new))


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Linear(8, 3)
loss = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="P07",
    name="name-used-twice",
    voice="alarm",
    stage="graph",
    question="Has each thing a name of its own?",
    find=find,
    text=Text(
        what="The name {name} is used for two things: what is called, and what the call gives.",
        why="A name holds one thing at a time. After the first call it holds the result, and that cannot be called.",
        do="Use two names, such as loss = criterion(output, target).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises\n", "")
    .replace("loss = nn.C", "criterion = nn.C")
    .replace("= loss(", "= criterion("),
    lookalikes={
        "called once": BROKEN.replace("# raises\n", "")
        .replace("loss = nn.C", "criterion = nn.C")
        .replace("= loss(", "= criterion(")
        .replace("model = nn.Linear(8, 3)", "model = nn.Linear\nmodel = model(8, 3)"),
        "another thing that cannot be called": "# raises\nnumbers = [1, 2, 3]\nprint(numbers(1))\n",
    },
    explains=("L03", "L23", "L28"),
)
