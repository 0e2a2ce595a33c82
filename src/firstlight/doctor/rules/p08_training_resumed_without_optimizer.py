"""P08 training-resumed-without-optimizer: the weights were read back, what the optimizer had learned was not."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A model that goes on from a file which this program wrote in its training, with an optimizer that begins anew."""
    for one in (newest(run, "saved") or {"fresh": []})["fresh"]:
        yield Finding(
            evidence=_(
                "After the weights were read back, {optimizer} made step {step} without any state of its own.",
                optimizer=one["optimizer"],
                step=one["step"],
            ),
            step=one["step"],
            place=Place.from_json(one["saved"]) or Place.from_json(one["place"]),
            places=tuple(place for place in [Place.from_json(one["place"])] if place is not None),
        )


BROKEN = """\
import io

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()


def make():
    model = nn.Linear(8, 2)
    return model, torch.optim.Adam(model.parameters(), lr=0.01)


def train(model, optimizer):
    for step in range(10):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


model, optimizer = make()
train(model, optimizer)
file = io.BytesIO()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
file.seek(0)
model, optimizer = make()
saved = torch.load(file)
model.load_state_dict(saved["model"])
train(model, optimizer)
"""

rule = Rule(
    code="P08",
    name="training-resumed-without-optimizer",
    voice="note",
    stage="review",
    question="Does a training that goes on from a file go on with its optimizer too?",
    needs=("saved", "witness"),
    find=find,
    text=Text(
        what="The training goes on from saved weights, but its optimizer begins anew.",
        why="Adam, and SGD with momentum, remember earlier gradients. Without that the first steps can be far off.",
        do="Save optimizer.state_dict() beside the weights, and load it before you go on.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace('saved["model"])\n', 'saved["model"])\noptimizer.load_state_dict(saved["optimizer"])\n'),
    lookalikes={
        "the best weights are read back to be tested": BROKEN.replace(
            'saved["model"])\ntrain(model, optimizer)\n',
            'saved["model"])\nprint(model(x).argmax(1).eq(y).float().mean())\n',
        ),
        "SGD, which remembers nothing": BROKEN.replace(
            "Adam(model.parameters(), lr=0.01)", "SGD(model.parameters(), lr=0.1)"
        ),
    },
)
