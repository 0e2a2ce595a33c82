"""M03 sigmoid-before-cross-entropy: cross-entropy wants raw scores and is given numbers from 0 to 1."""

from collections.abc import Iterator

from firstlight.doctor.pointing import feeder
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A log-softmax directly above a sigmoid."""
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] == "log_softmax" and row["feeder"] == "Sigmoid" and row["times"] >= 2:
            place, edits = feeder(run, row, ("sigmoid", "expit"), ("Sigmoid",))
            yield Finding(
                evidence=_(
                    "At {count} looks at the graph of the loss, its log-softmax was given the result of a sigmoid.",
                    count=row["times"],
                ),
                step=row["step"],
                place=place,
                edits=edits,
                check="print(loss.grad_fn.next_functions[0][0].next_functions)  # LogSoftmax is fed by Sigmoid",
            )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return torch.sigmoid(self.fc(x))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("torch.sigmoid(self.fc(x))", "self.fc(x)")

rule = Rule(
    code="M03",
    name="sigmoid-before-cross-entropy",
    voice="alarm",
    stage="graph",
    question="Is cross-entropy given raw scores, not the result of a sigmoid?",
    needs=("loss_heads",),
    find=find,
    text=Text(
        what="The scores go through a sigmoid before cross-entropy.",
        why="Cross-entropy takes a softmax itself. Of numbers from 0 to 1 it makes nearly equal probabilities, so the "
        "loss cannot get small, and the model learns slowly.",
        do="Give cross-entropy the raw scores: leave the sigmoid out.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "sigmoid in a hidden layer": FIXED.replace("self.fc(x)", "self.fc(torch.sigmoid(x))"),
        "scaled after the sigmoid, as where scores are bounded": FIXED.replace(
            "self.fc(x)", "20 * torch.sigmoid(self.fc(x)) - 10"
        ),
    },
)
