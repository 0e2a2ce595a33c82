"""R08 one-sample-at-a-time: a loop calls the model for each sample of a tensor that holds them all."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Steps that learn from eight or more single rows of one tensor."""
    one = (newest(run, "resources") or {}).get("singles")
    if one is None or one["steps"] < 3 or not one.get("even", True):
        return
    place = Place.from_json(one["place"])
    if one.get("apart") and not _goes_through(Code.of(run), place):
        return
    yield Finding(
        evidence=_(
            "In {steps} steps the model was called for one sample after the other, {calls} times in all.",
            steps=one["steps"],
            calls=one["calls"],
        ),
        step=3,
        place=place,
    )


def _goes_through(code: Code, place: Place | None) -> bool:
    """Whether what the model is given in this line comes from the sample that its loop has come to, and from no other.

    In a game, what is given next comes from what was answered before.
    """
    spot = spot_of(code, place)
    if spot is None:
        return False
    loops: list[tuple[ast.AST, ast.AST]] = [(one.target, spot.node) for one in spot.loops if isinstance(one, ast.For)]
    for node in ast.walk(spot.node):
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            loops += [(one.target, node.elt) for one in node.generators]
    for target, inside in loops:
        known = {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
        for call in (one for one in ast.walk(inside) if isinstance(one, ast.Call) and one.args):
            used = {one.id for one in ast.walk(call.args[0]) if isinstance(one, ast.Name)}
            if used & known:
                return True
    return False


BROKEN = CLASSES.replace(
    "        loss = nn.functional.cross_entropy(model(train_x[rows]), train_y[rows])\n",
    "        outputs = torch.cat([model(train_x[row : row + 1]) for row in rows.tolist()])\n"
    "        loss = nn.functional.cross_entropy(outputs, train_y[rows])\n",
).replace("in range(4)", "in range(1)")

rule = Rule(
    code="R08",
    name="one-sample-at-a-time",
    voice="note",
    stage="resources",
    question="Is the model given whole batches?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The model is called for one sample after the other, though they stand together in one tensor.",
        why="One call for all of them gives the same outputs and takes a small part of the time.",
        do="Give the model the rows together, as model(x[rows]).",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "one sample for each step": CLASSES.replace("split(32)", "split(1)").replace("in range(4)", "in range(1)")
    },
)
