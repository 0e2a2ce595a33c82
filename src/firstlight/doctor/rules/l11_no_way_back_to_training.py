"""L11 no-way-back-to-training: after the first evaluation the model stays in evaluation mode."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import training_mode
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rules.l10_training_in_evaluation_mode import learned_quietly
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Roots that learned in training mode, were switched, and learned on."""
    for one in learned_quietly(run, after_training=True):
        forward, switched = Place.from_json(one["forward"]), Place.from_json(one["switched"])
        yield Finding(
            evidence=_(
                "{root} learned in training mode for {before} backward passes, then for {count} in evaluation mode. "
                "It has layers that then do something else: {layers}.",
                root=one["root"],
                before=one["training"],
                count=one["evaluation"],
                layers=", ".join(one["layers"]),
            ),
            step=one["step"],
            place=switched or forward,
            places=tuple(place for place in (forward,) if place is not None),
            edits=training_mode(Code.of(run), forward, switched),
            check="print(model.training)  # in the loop, before loss.backward(), in the second epoch",
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    for start in range(0, 256, 32):
        loss = nn.functional.cross_entropy(model(x[start : start + 32]), y[start : start + 32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        model(x).argmax(1)
"""

rule = Rule(
    code="L11",
    name="no-way-back-to-training",
    voice="alarm",
    stage="order",
    question="Does the model go back to training mode after each evaluation?",
    needs=("modes_of_training", "passes"),
    find=find,
    text=Text(
        what="After the first evaluation, the model is never set back to training mode.",
        why="From then on dropout drops nothing and batch norm uses old statistics, in all later epochs.",
        do="Call model.train() at the start of each epoch.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    for start", "    model.train()\n    for start"),
    lookalikes={
        "batch norm is frozen after a while": BROKEN.replace("nn.ReLU()", "nn.BatchNorm1d(16)").replace(
            "    model.eval()\n", "    model.train()\n    model[1].eval()\n"
        ),
        "goes back at the end of the evaluation": BROKEN + "    model.train()\n",
    },
    explains=("E16", "L10"),
)
