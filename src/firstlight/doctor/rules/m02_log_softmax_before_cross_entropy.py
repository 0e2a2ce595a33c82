"""M02 log-softmax-before-cross-entropy: the log-softmax is taken twice, which changes nothing."""

from collections.abc import Iterator

from firstlight.doctor.pointing import feeder
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A log-softmax directly above a log-softmax; or a cross-entropy of rows whose exponentials sum to 1."""
    found = list(_seen(run))
    yield from found or _summed(run)


def _summed(run: Run) -> Iterator[Finding]:
    for call in newest(run, "loss_calls") or []:
        if call["loss"] == "cross_entropy" and call.get("log_rows", 0) >= 2 and call["log_rows"] == call["looks"]:
            names = ("log_softmax", "logsumexp")
            place, _edits = feeder(run, call | {"loss": call["place"], "backward": None}, names, ("LogSoftmax",))
            yield Finding(
                evidence=_(
                    "At {count} looks at the graph of the loss, its log-softmax was given the result of a log-softmax.",
                    count=call["log_rows"],
                ),
                step=call["step"],
                place=place,
            )
            return


def _seen(run: Run) -> Iterator[Finding]:
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] == "log_softmax" and row["feeder"] == "LogSoftmax" and row["times"] >= 2:
            if row["fed_dim"] != row["dim"] and row["shape"] and len(row["shape"]) == 2:
                continue  # over another dimension: M06
            place, edits = feeder(run, row, ("log_softmax",), ("LogSoftmax",))
            yield Finding(
                evidence=_(
                    "At {count} looks at the graph of the loss, its log-softmax was given the result of a log-softmax.",
                    count=row["times"],
                ),
                step=row["step"],
                place=place,
                edits=edits,
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
        return torch.log_softmax(self.fc(x), dim=1)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M02",
    name="log-softmax-before-cross-entropy",
    voice="note",
    stage="graph",
    question="Is the log-softmax taken only once?",
    needs=("loss_heads",),
    find=find,
    text=Text(
        what="The scores go through log_softmax, and cross-entropy takes it once more.",
        why="It is harmless: a second log-softmax changes nothing. It costs time and may confuse a reader.",
        do="Give cross_entropy the raw scores, or use nll_loss with log_softmax.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("torch.log_softmax(self.fc(x), dim=1)", "self.fc(x)"),
    lookalikes={
        "with nll_loss": BROKEN.replace("functional.cross_entropy", "functional.nll_loss"),
    },
)
