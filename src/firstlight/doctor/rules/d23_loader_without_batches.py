"""D23 loader-without-batches: a pass gives no batch, or a generator is used up after the first epoch."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES, LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_ONCE = ("iter", "zip", "map", "filter", "enumerate", "reversed", "islice")


def find(run: Run) -> Iterator[Finding]:
    """Either of them."""
    for feed in newest(run, "feeds") or []:
        if not feed["ended"] or feed["batches"]:
            continue
        said = (
            _(
                "{items} samples with batch_size={size} and drop_last=True give no batch.",
                items=feed["items"],
                size=feed["batch_size"],
            )
            if feed["drop_last"] and feed["items"]
            else _("A pass over a loader ended without a batch.")
        )
        yield Finding(evidence=said, step=feed["step"], place=Place.from_json(feed["made"] or feed["place"]))
        return
    learned = [one for one in newest(run, "inputs") or [] if one["learned"]]
    if not learned:
        return
    code = Code.of(run)
    generators = {
        node.name
        for unit in code.units
        for node in unit.nodes
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(one, ast.Yield | ast.YieldFrom) for one in _inside(node))
        and not node.decorator_list
    }
    for unit in code.units:
        for loop, made, name in (*_used_up(unit, generators), *_used_up_by_calls(unit, generators)):
            yield Finding(
                evidence=_(
                    "{name} is made once, on line {line}, and gives its batches once; the loop around it goes over "
                    "it again.",
                    name=name,
                    line=made.lineno,
                ),
                step=learned[0]["learned"],
                place=unit.place(loop),
                places=(unit.place(made),),
            )
            return


def _inside(function: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _inside(node)


def _used_up(unit: Unit, generators: set[str]) -> Iterator[tuple[ast.For, ast.Assign, str]]:
    """Names that hold a generator made outside of a loop whose inner loop goes over them."""
    scopes: list[ast.AST] = [n for n in unit.nodes if isinstance(n, ast.FunctionDef)]
    for scope in [*scopes, unit.tree]:
        own = list(_inside(scope))
        made = [
            node
            for node in own
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and _is_once(node.value, generators)
        ]
        for assign in made:
            name = getattr(assign.targets[0], "id", "")
            for outer in own:
                if not isinstance(outer, ast.For | ast.While) or outer.lineno < assign.lineno:
                    continue
                inside = list(ast.walk(outer))
                if any(_binds(node, name) for node in inside):
                    continue
                stops = any(isinstance(node, ast.Break | ast.Return) for node in inside)
                for inner in inside:
                    if isinstance(inner, ast.For) and inner is not outer and not stops and _learns(inner):
                        over = inner.iter
                        if isinstance(over, ast.Call) and callee(over) in ("enumerate", "tqdm") and over.args:
                            over = over.args[0]
                        if isinstance(over, ast.Name) and over.id == name:
                            yield inner, assign, name


def _used_up_by_calls(unit: Unit, generators: set[str]) -> Iterator[tuple[ast.For, ast.Assign, str]]:
    """The same, where the inner loop stands in a function that a loop calls: a name of the file, or an attribute."""
    functions = [node for node in unit.nodes if isinstance(node, ast.FunctionDef)]
    looped = {
        callee(node)
        for loop in unit.nodes
        if isinstance(loop, ast.For | ast.While)
        and not any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop))
        for node in ast.walk(loop)
        if isinstance(node, ast.Call)
    }
    own = [node for node in _inside(unit.tree) if isinstance(node, ast.Assign)]
    for function in functions:
        if function.name == "__init__":
            own += [
                node for node in _inside(function)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("self.")
            ]  # fmt: skip
    every = [node for node in unit.nodes if isinstance(node, ast.Assign)]
    for assign in own:
        name = ast.unparse(assign.targets[0])
        again = [one for one in every if any(ast.unparse(target) == name for target in one.targets)]
        if not _is_once(assign.value, generators) or len(again) > 1:
            continue
        for function in functions:
            bound = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
            if function.name not in looped or name in bound or function.name == "__init__":
                continue
            inside = list(_inside(function))
            if any(isinstance(node, ast.Break) for node in inside):
                continue
            for inner in inside:
                if isinstance(inner, ast.For) and ast.unparse(inner.iter) == name and _learns(inner):
                    ends = any(isinstance(node, ast.Return) for node in ast.walk(inner))
                    if not ends:
                        yield inner, assign, name


def _learns(loop: ast.For) -> bool:
    """Whether something is learned in a loop, as far as names say."""
    names = {callee(node).lower() for node in ast.walk(loop) if isinstance(node, ast.Call)}
    return any(part in name for name in names for part in ("backward", "step", "train", "fit", "learn", "update"))


def _is_once(value: ast.AST, generators: set[str]) -> bool:
    if isinstance(value, ast.GeneratorExp):
        return True
    if not isinstance(value, ast.Call):
        return False
    return (isinstance(value.func, ast.Name) and value.func.id in {*generators, *_ONCE}) or callee(value) in generators


def _binds(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(one, ast.Name) and one.id == name for one in targets)


GENERATOR = CLASSES.replace("optimizer = torch", (
    "def batches():\n    for rows in torch.randperm(480).split(32):\n        yield rows\n\n\noptimizer = torch"
), 1)  # fmt: skip
BROKEN = GENERATOR.replace("for epoch in range(4):\n", "loader = batches()\nfor epoch in range(4):\n").replace(
    "in torch.randperm(480).split(32):\n        optimizer", "in loader:\n        optimizer"
)

rule = Rule(
    code="D23",
    name="loader-without-batches",
    voice="alarm",
    stage="data",
    question="Does every epoch have batches?",
    needs=("feeds", "inputs"),
    find=find,
    text=Text(
        what="An epoch has no batches, so nothing is learned in it.",
        why="A generator or iterator can be gone through once; and drop_last drops the only batch of a small set.",
        do="Make the generator inside of the epoch loop, or use a DataLoader; make batch_size smaller than the set.",
    ),
    broken=BROKEN,
    fixed=GENERATOR.replace("in torch.randperm(480).split(32):\n        optimizer", "in batches():\n        optimizer"),
    lookalikes={
        "made anew in each epoch": BROKEN.replace(
            "loader = batches()\nfor epoch in range(4):\n", "for epoch in range(4):\n    loader = batches()\n"
        ),
        "an endless one that is left": LOADERS.replace(
            "for epoch in range(3):\n", "stream = iter([1, 2, 3])\nfor epoch in stream:\n"
        ),
    },
    explains=("L28",),
)
