"""L25 another-model: the model is made anew in each epoch, or another one is evaluated than was trained."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, calls_in, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_SAYING = ("print", "format", "append", "info", "debug", "write", "log", "say", "range", "set_description")
_TRIALS = {"run", "runs", "trial", "seed", "fold", "repeat", "repetition", "rep", "experiment", "split", "restart"}


def find(run: Run) -> Iterator[Finding]:
    """Models of one kind that each learn for one epoch; a model that is shown the test and never learned."""
    models = newest(run, "models") or []
    code = Code.of(run)
    yield from _made_again(models, code)
    trained = [one for one in models if one["learned"] >= 10]
    for one in models:
        if one["learned"] or not one["shown"] or one["between"] or one["loaded"]:
            continue
        # Shown at the end what the trained one never saw: a copy of what that one was before it learned, or another.
        begun_as = [other for other in trained if other["number"] in one["as_begun"] and not other["loaded"]]
        stale = one["late"] and one["apart"] and one["unchanged"] and len(trained) == 1
        if one["copied"] and not (stale and begun_as):
            continue
        same = [other for other in trained if other["shape"] == one["shape"] and other["kind"] == one["kind"]]
        if not same or not one["unchanged"]:
            continue
        before = [other for other in same if other["number"] < one["number"]]
        if any(other["shown"] for other in (before[-1:] or same)) and not stale:
            continue  # the one that was trained last was shown the test itself
        shown, begun = Place.from_json(one["shown_at"]), _handed_over(code, one.get("shown_way", []))
        yield Finding(
            evidence=_(
                "A {kind} was evaluated {shown} times that has never learned. The one that learned {steps} times "
                "was never evaluated.",
                kind=one["kind"],
                shown=one["shown"],
                steps=(before[-1:] or same)[0]["learned"],
            ),
            step=None,
            place=begun or shown,
            places=(shown,) if shown is not None and begun is not None else (),
        )
        return


def _handed_over(code: Code, way: list[Any]) -> Place | None:
    """Of the lines that led to a call of a model, the innermost that was not given it as an argument."""
    function, at = "", -1  # the function of the line before, and as which of its arguments it got the model
    for one in way:
        place = Place.from_json(one)
        spot = spot_of(code, place)
        if spot is None:
            return None
        calls = calls_in(spot.node, function) if function else calls_in(spot.node)
        owner = spot.function
        names = [arg.arg for arg in owner.args.args if arg.arg != "self"] if isinstance(owner, ast.FunctionDef) else []
        given = [call.args[at] for call in calls if at < len(call.args)] if function else [call.func for call in calls]
        found = {node.id for node in given if isinstance(node, ast.Name)} & set(names)
        if len(found) != 1 or not isinstance(owner, ast.FunctionDef):
            return place
        function, at = owner.name, names.index(found.pop())
    return None


def _made_again(models: list[dict[str, Any]], code: Code) -> Iterator[Finding]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for one in models:
        if one["learned"] and not one["copied"] and not one["loaded"]:
            first = one["first"] or {}
            groups.setdefault((one["kind"], one["shape"], first.get("file"), first.get("line")), []).append(one)
    for (kind, _shape, _file, _line), group in groups.items():
        # Each had one epoch and was dropped for the next: a model for each fold or number would have several.
        if len(group) < 3 or sum(one["alive"] for one in group) > 1 or any(one["passes"] > 1 for one in group):
            continue
        made = _maker(code, kind)
        if made is None or not _only_counts(made):
            continue
        loaders = {one["loader"] if one["passes"] else None for one in group}
        if (len(loaders) > 1 or None in loaders) and not _says_epoch(made):
            continue  # of data that is cut up by hand, only the loop's own word tells epochs from trials
        yield Finding(
            evidence=_(
                "{count} models of kind {kind} were made and trained for one epoch each: {steps} backward passes.",
                count=len(group),
                kind=kind,
                steps=", ".join(str(one["learned"]) for one in group[:4]),
            ),
            step=group[0]["learned"] + group[1]["learned"],
            place=made.place,
        )


def _maker(code: Code, kind: str) -> Spot | None:
    """The statement within a loop that makes a model of this kind, itself or through a function."""
    makers = {kind}
    for spot in spots(code):
        if isinstance(spot.node, ast.FunctionDef) and any(callee(one) == kind for one in calls_in(spot.node)):
            makers.add(spot.node.name)
    setters = {
        spot.node.name
        for spot in spots(code)
        if isinstance(spot.node, ast.FunctionDef) and _sets(spot.node, kind) and not calls_in(spot.node, "backward")
    }
    found = [
        spot
        for spot in spots(code)
        if spot.loops
        and (
            (isinstance(spot.node, ast.Assign | ast.AnnAssign) and calls_in(spot.node, *makers))
            or (isinstance(spot.node, ast.Expr) and _calls_one_of(spot.node.value, setters))
        )
    ]
    return found[0] if found else None


def _sets(function: ast.FunctionDef, kind: str) -> bool:
    """Whether a method makes a model of this kind an attribute of its object."""
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and callee(node.value) == kind
        and any(isinstance(target, ast.Attribute) for target in node.targets)
        for node in ast.walk(function)
    )


def _calls_one_of(value: ast.expr, methods: set[str]) -> bool:
    """`self.configure()`, whose result nobody keeps."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in methods


def _only_counts(made: Spot) -> bool:
    """Whether the loop around only counts: what it goes through is used for nothing but to be told."""
    loop = made.loops[0]
    if not isinstance(loop, ast.For):
        return False
    names = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
    if any(words_in(name) & _TRIALS for name in names):
        return False  # as often as the whole is done, each time from the start
    spared: set[ast.AST] = set()
    for node in ast.walk(loop):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and callee(node) in _SAYING):
            spared.update(ast.walk(node))
        elif isinstance(node, ast.If):
            spared.update(ast.walk(node.test))
    used = [
        node
        for statement in loop.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id in names and node not in spared
    ]
    return not used


def _says_epoch(made: Spot) -> bool:
    loop = made.loops[0]
    return isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and "epoch" in loop.target.id.lower()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
for epoch in range(4):
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for start in range(0, 256, 16):
        loss = nn.functional.cross_entropy(model(x[start : start + 16]), y[start : start + 16])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item()}")
"""

rule = Rule(
    code="L25",
    name="another-model",
    voice="alarm",
    stage="optimizer",
    question="Is it one model that is trained, and the same that is evaluated?",
    needs=("models",),
    find=find,
    text=Text(
        what="Another model than the trained one is used: what was learned is lost.",
        why="Each call of its class makes a model with new random weights. It knows nothing of those before it.",
        do="Make the model once, before the loop over epochs, and evaluate that one.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(
        "    model = nn.Linear(8, 3)\n    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", ""
    ).replace(
        "for epoch", "model = nn.Linear(8, 3)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nfor epoch"
    ),
    lookalikes={
        "a model for each fold": BROKEN.replace("for epoch", "x_all, y_all = x, y\nfor epoch").replace(
            "    for start", "    x, y = x_all.roll(64 * epoch, 0), y_all.roll(64 * epoch, 0)\n    for start"
        ),
        "trials, one after another": BROKEN.replace("epoch", "trial"),
        "learning rates are compared": BROKEN.replace(
            "for epoch in range(4)", "for epoch in [1.0, 0.3, 0.1, 0.03]"
        ).replace("lr=0.1", "lr=epoch"),
        "an ensemble": BROKEN.replace("    optimizer =", "    kept.append(model)\n    optimizer =").replace(
            "for epoch", "kept = []\nfor epoch"
        ),
        "the untrained one is looked at last, to compare": BROKEN.replace(
            "for epoch in range(4):\n    model = nn.Linear(8, 3)\n",
            "import copy\n\nmodel = nn.Linear(8, 3)\nbefore = copy.deepcopy(model)\nfor epoch in range(1):\n",
        )
        + "test = torch.randn(64, 8)\nwith torch.no_grad():\n    model(test)\n    before(test)\n",
        "the untrained one is looked at first": "import torch\nfrom torch import nn\n\ntorch.manual_seed(0)\n"
        "x, y = torch.randn(256, 8), torch.randint(3, (256,))\nfirst, model = nn.Linear(8, 3), nn.Linear(8, 3)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nfor step in range(20):\n"
        "    optimizer.zero_grad()\n    nn.functional.cross_entropy(model(x), y).backward()\n    optimizer.step()\n"
        "with torch.no_grad():\n    first(x)\n    model(x)\n",
    },
    explains=("L24", "L15", "E01", "E11", "E12"),
)
