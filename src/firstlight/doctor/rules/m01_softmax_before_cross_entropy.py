"""M01 softmax-before-cross-entropy: cross-entropy takes the softmax itself, and is given probabilities."""

from collections.abc import Iterator

from firstlight.doctor.pointing import feeder
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 2  # the graph is a fact: a second look only leaves a trial call before the loop out


def find(run: Run) -> Iterator[Finding]:
    """A log-softmax directly above a softmax, in the graph of a loss; or a cross-entropy of rows that sum to 1."""
    found = list(_seen(run))
    yield from found or _summed(run)


def _summed(run: Run) -> Iterator[Finding]:
    """Rows of numbers above zero that all sum to 1: whatever made them, they are probabilities."""
    for call in newest(run, "loss_calls") or []:
        if call["loss"] != "cross_entropy" or call.get("rows", 0) < _TIMES or call["rows"] < call["looks"]:
            continue
        place, edits = feeder(run, call | {"loss": call["place"], "backward": None}, ("softmax",), ("Softmax",))
        yield Finding(
            evidence=_(
                "At {count} looks, the numbers that cross-entropy was given were above zero and summed to 1 in each "
                "row: they are probabilities already.",
                count=call["rows"],
            ),
            step=call["step"],
            place=place,
            edits=edits,
            check="print(output.sum(dim=1))  # raw scores do not sum to 1",
        )
        return


def _seen(run: Run) -> Iterator[Finding]:
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] != "log_softmax" or row["feeder"] != "Softmax" or row["times"] < _TIMES:
            continue
        if row["shape"] and row["dim"] is not None and row["shape"][row["dim"]] == 1:
            continue  # one column: M08
        place, edits = feeder(run, row, ("softmax",), ("Softmax", "Softmax2d"))
        yield Finding(
            evidence=_(
                "At {count} looks at the graph of the loss, its log-softmax was given the result of a softmax.",
                count=row["times"],
            ),
            step=row["step"],
            place=place,
            edits=edits,
            check="print(loss.grad_fn.next_functions[0][0].next_functions)  # LogSoftmax is fed by Softmax",
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
        return torch.softmax(self.fc(x), dim=1)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("torch.softmax(self.fc(x), dim=1)", "self.fc(x)")

rule = Rule(
    code="M01",
    name="softmax-before-cross-entropy",
    voice="alarm",
    stage="graph",
    question="Is cross-entropy given raw scores, not probabilities?",
    needs=("loss_heads",),
    find=find,
    text=Text(
        what="The loss takes a softmax of scores that have been through a softmax already.",
        why="Cross-entropy makes probabilities itself. Of numbers from 0 to 1 it makes nearly equal ones, so the loss "
        "cannot get small, and the model learns slowly.",
        do="Give the loss the raw scores: leave the softmax out, and use it only to show probabilities.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "softmax only to show": FIXED.replace(
            "    optimizer.zero_grad()", "    shown = model(x).softmax(1).max()\n    optimizer.zero_grad()"
        ),
        "attention inside": FIXED.replace("self.fc(x)", "self.fc(torch.softmax(x, dim=1) * x)"),
        "temperature after softmax in a distillation": FIXED.replace(
            "loss = nn.functional.cross_entropy(model(x), y)",
            "loss = nn.functional.kl_div(model(x).log_softmax(1), torch.full((128, 3), 1 / 3), reduction='batchmean')",
        ),
        "negative log-likelihood of log-probabilities": FIXED.replace(
            "nn.functional.cross_entropy(model(x), y)", "nn.functional.nll_loss(model(x).softmax(1).log(), y)"
        ),
    },
)
