"""L10 training-in-evaluation-mode: the model learns with dropout and batch norm switched to evaluation."""

from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.editing import training_mode
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def learned_quietly(run: Run, *, after_training: bool) -> Iterator[dict[str, Any]]:
    """Roots that an optimizer trains, and that learned in evaluation mode in ten steps and a fifth of all."""
    for one in newest(run, "modes_of_training") or []:
        all_steps = one["training"] + one["evaluation"]
        if one["evaluation"] < 10 or one["evaluation"] < 0.2 * all_steps or one["partly"] or not one["optimized"]:
            continue
        if one["after_training"] == after_training:
            yield one


def find(run: Run) -> Iterator[Finding]:
    """Roots that never learned in training mode before."""
    for one in learned_quietly(run, after_training=False):
        forward, switched = Place.from_json(one["forward"]), Place.from_json(one["switched"])
        yield Finding(
            evidence=_(
                "In {count} of {steps} backward passes {root} was in evaluation mode. It has layers that then do "
                "something else: {layers}.",
                count=one["evaluation"],
                steps=one["training"] + one["evaluation"],
                root=one["root"],
                layers=", ".join(one["layers"]),
            ),
            step=one["step"],
            place=switched or forward,
            places=tuple(place for place in (forward,) if place is not None),
            edits=training_mode(Code.of(run), forward, switched),
            check="print(model.training)  # in the loop, before loss.backward()",
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.eval()
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L10",
    name="training-in-evaluation-mode",
    voice="alarm",
    stage="order",
    question="Is the model in training mode while it learns?",
    needs=("modes_of_training", "passes"),
    find=find,
    text=Text(
        what="The model is trained in evaluation mode.",
        why="After eval(), dropout drops nothing and batch norm uses statistics that this training never updates.",
        do="Call model.train() before the training loop, and model.eval() only before the evaluation.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("model.eval()", "model.train()"),
    lookalikes={
        "batch norm is frozen, the model is not": BROKEN.replace("nn.ReLU()", "nn.BatchNorm1d(16)").replace(
            "model.eval()", "model.train()\nmodel[1].eval()"
        ),
        "no layer differs": BROKEN.replace("nn.Dropout(0.2), ", ""),
        "an input is trained": BROKEN.replace(
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n",
            "model.requires_grad_(False)\nx.requires_grad_()\noptimizer = torch.optim.SGD([x], lr=0.1)\n",
        ),
    },
    explains=("E16",),
)
