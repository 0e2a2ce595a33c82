"""M09 layers-without-activation: several layers follow each other with nothing between them that is not linear."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Two or more weights in a row, nothing but linear functions in the whole model, and no narrow place on purpose."""
    for model in newest(run, "graph_models") or []:
        chain = model["linear"]
        if not chain:
            continue
        sizes = [(shape[0], shape[1]) for shape in chain["shapes"] if len(shape) >= 2]
        if len(sizes) < 2:
            continue
        if chain["weights"] == 2:
            # A narrow layer between two wide ones is a bottleneck: less than one layer, and often meant.
            inner = min(sizes[0][0], sizes[0][1], sizes[1][0], sizes[1][1])
            ends = sorted([*sizes[0], *sizes[1]])
            if inner < min(ends[-2:]) and ends[0] == ends[1] and ends[0] < ends[2]:
                continue
        forwards = model["forwards"]
        place = Place(forwards[0][0], forwards[0][1]) if forwards else Place.from_json(model["called"])
        yield Finding(
            evidence=_(
                "{count} layers with weights follow each other in {model}, and no function between them is not linear.",
                count=chain["weights"],
                model=model["class"],
            ),
            step=0,
            place=place,
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M09",
    name="layers-without-activation",
    voice="question",
    stage="graph",
    question="Is there an activation between the layers?",
    needs=("graph_models",),
    find=find,
    text=Text(
        what="The model has several layers but no activation between them, so it equals one linear layer.",
        why="A linear layer after a linear layer is again a linear layer: the added weights add nothing that can be "
        "learned.",
        do="Put an activation such as nn.ReLU() between the layers, unless this is meant.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("nn.Linear(16, 16)", "nn.ReLU()"),
    lookalikes={
        "one layer": BROKEN.replace("nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)", "nn.Linear(8, 3)"),
        "a bottleneck": BROKEN.replace(
            "nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)", "nn.Linear(8, 2), nn.Linear(2, 3)"
        ),
    },
)
