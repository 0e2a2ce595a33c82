"""M20 dropout-that-drops-nearly-all: dropout takes nearly everything away: p is the share that is dropped."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, layer_made, part_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_MOST = 0.8


def find(run: Run) -> Iterator[Finding]:
    """A dropout with p above 0.8 in a model that is trained."""
    for row in newest(run, "single_samples") or []:
        for name, share in row["dropouts"][:1]:
            made = layer_made(run, name, "Dropout")
            place = made[0] if made is not None else _written(run) or part_made(run, name)
            place = place or Place.from_json(row["called"])
            yield _finding(share, name, place)
            return
    for row in newest(run, "dropout") or []:
        if row["root_training"] and row["p"] > _MOST and row["grad"]:
            yield _finding(row["p"], "F.dropout", Place.from_json(row["place"]))
            return


def _finding(share: float, name: str, place: Place | None) -> Finding:
    return Finding(
        evidence=_("{name} has p = {share}: of 100 numbers, about {left} are left.", name=name, share=share,
                   left=round(100 - 100 * share)),
        step=0,
        place=place,
    )  # fmt: skip


def _written(run: Run) -> Place | None:
    """The only line that makes a dropout with such a p."""
    found = []
    for place, node, _unit in Code.of(run).calls("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"):
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
    voice="question",
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
    lookalikes={"half": BROKEN.replace("Dropout(0.9)", "Dropout(0.5)")},
)
