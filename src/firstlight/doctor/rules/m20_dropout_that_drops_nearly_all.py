"""M20 dropout-that-drops-nearly-all: dropout takes nearly everything away: p is the share that is dropped."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, instead, layer_made, part_made
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_MOST = 0.8
_DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
_KEPT = {"keep", "kept", "retain", "retained", "survival"}


def find(run: Run) -> Iterator[Finding]:
    """A dropout with p above 0.8 in a model that is trained."""
    for row in newest(run, "single_samples") or []:
        for name, share in row["dropouts"][:1]:
            made = layer_made(run, name, "Dropout")
            place = made[0] if made is not None else _written(run) or part_made(run, name)
            place = place or Place.from_json(row["called"])
            yield _finding(run, share, name, place)
            return
    for row in newest(run, "dropout") or []:
        if row["root_training"] and row["p"] > _MOST and row["grad"]:
            yield _finding(run, row["p"], "F.dropout", Place.from_json(row["place"]))
            return


def _finding(run: Run, share: float, name: str, place: Place | None) -> Finding:
    swapped, edits = _share_that_is_kept(run, place)
    return Finding(
        evidence=_("{name} has p = {share}: of 100 numbers, about {left} are left.", name=name, share=share,
                   left=round(100 - 100 * share)),
        step=0,
        place=swapped or place,
        voice=None if swapped is not None else "question",
        edits=edits,
    )  # fmt: skip


def _share_that_is_kept(run: Run, place: Place | None) -> tuple[Place | None, tuple[Edit, ...]]:
    """Where dropout is given a share that the learner calls the one that is kept, and the change that mends all."""
    code, found, edits, others = Code.of(run), [], [], 0
    own = {node.name for kind in (ast.FunctionDef, ast.ClassDef) for _at, node, _unit in code.walk(kind)}
    for at, node, unit in code.calls(*{*_DROPOUTS, "dropout"} - own):
        value = argument(node, "p", 1 if ast.unparse(node.func).endswith("dropout") else 0)
        if isinstance(value, ast.Name | ast.Attribute | ast.Subscript) and words_in(ast.unparse(value)) & _KEPT:
            found.append(at)
            edits.append((unit, value))
        elif callee(node) != "dropout" or not ast.unparse(node.func).startswith("self."):  # the call of a layer
            others += 1
    if not found or others:  # it may be another one that drops so much
        return None, ()
    near = next((at for at in found if place is not None and (at.file, at.line) == (place.file, place.line)), found[0])
    lines = [(unit.file, value.lineno) for unit, value in edits]
    if len(set(lines)) < len(lines):  # two on one line would undo each other
        return near, ()
    return near, tuple(one for unit, value in edits for one in instead(unit, value, f"1 - {ast.unparse(value)}"))


def _written(run: Run) -> Place | None:
    """The only line that makes a dropout with such a p."""
    found = []
    for place, node, _unit in Code.of(run).calls(*_DROPOUTS):
        value = getattr(argument(node, "p", 0), "value", None)
        if isinstance(value, float) and value > _MOST:
            found.append(place)
    return found[0] if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.9), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M20",
    name="dropout-that-drops-nearly-all",
    voice="alarm",
    stage="graph",
    question="Does dropout leave enough?",
    needs=("single_samples", "dropout"),
    find=find,
    text=Text(
        what="Dropout takes away more than 80 % of what a layer says.",
        why="In PyTorch, p is the share that is dropped, not the share that is kept. Little is left to learn from.",
        do="If 0.9 was to be kept, write p=0.1. Common values lie from 0.1 to 0.5.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("Dropout(0.9)", "Dropout(0.1)"),
    lookalikes={
        "half": BROKEN.replace("Dropout(0.9)", "Dropout(0.5)"),
        "the share that is kept, taken from one": "keep_prob = 0.9\n" + BROKEN.replace("0.9)", "1 - keep_prob)"),
    },
)
