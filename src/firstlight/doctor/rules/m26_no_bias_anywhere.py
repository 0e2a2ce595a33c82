"""M26 no-bias-anywhere: no layer has a bias, and nothing else shifts what they give."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A model of several layers without a single bias or normalization."""
    for model in newest(run, "weights_of_models") or []:
        if model["layers"] >= 2 and not model["biases"] and not model["norms"]:
            yield Finding(
                evidence=_("{count} layers have weights, and none a bias.", count=model["layers"]),
                step=0,
                place=Place.from_json(model["called"]),
            )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16, bias=False), nn.ReLU(), nn.Linear(16, 3, bias=False))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M26",
    name="no-bias-anywhere",
    voice="note",
    stage="review",
    question="Can the layers shift what they give?",
    needs=("weights_of_models",),
    find=find,
    text=Text(
        what="No layer of the model has a bias.",
        why="For an input of zeros, the model can then give nothing but zeros.",
        do="Leave bias=False out, at least in the last layer, unless this is meant.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("3, bias=False", "3"),
    lookalikes={"normalization shifts instead": BROKEN.replace("nn.ReLU()", "nn.BatchNorm1d(16), nn.ReLU()")},
)
