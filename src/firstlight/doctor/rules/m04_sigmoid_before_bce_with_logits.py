"""M04 sigmoid-before-bce-with-logits: the loss takes the sigmoid itself, and is given one already."""

from collections.abc import Iterator

from firstlight.doctor.pointing import feeder
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A binary cross-entropy with logits directly above a sigmoid or a softmax."""
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] not in ("bce_logits", "log_sigmoid") or row["times"] < 2:
            continue
        if row["feeder"] not in ("Sigmoid", "Softmax"):
            continue
        name = row["feeder"].lower()
        place, edits = feeder(run, row, (name, "expit"), (row["feeder"],))
        yield Finding(
            evidence=_(
                "At {count} looks at the graph of the loss, its sigmoid was given the result of a {name}.",
                count=row["times"],
                name=name,
            ),
            step=row["step"],
            place=place,
            edits=edits,
            explains=() if _best_of_one(run) else None,  # that is wrong with any output
            check="print(loss.grad_fn.next_functions)  # BinaryCrossEntropyWithLogits is fed by Sigmoid",
        )


def _best_of_one(run: Run) -> bool:
    """Whether the largest of a single column was asked for, which is always the first."""
    heard = [one for one in newest(run, "metric_operations") or [] if one["kind"] == "equal" and one.get("best")]
    return any(one["from"] and one["from"][one["dim"]] == 1 for one in heard if one.get("from"))


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(2, (128, 1)).float()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 1)

    def forward(self, x):
        return torch.sigmoid(self.fc(x))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("torch.sigmoid(self.fc(x))", "self.fc(x)")

rule = Rule(
    code="M04",
    name="sigmoid-before-bce-with-logits",
    voice="alarm",
    stage="graph",
    question="Is a loss with logits given raw scores?",
    needs=("loss_heads",),
    find=find,
    text=Text(
        what="The scores go through a sigmoid twice: once in the model, and once in the loss with logits.",
        why="The second sigmoid makes numbers from 0.5 to 0.73 of them, so the loss cannot get small, and the model "
        "learns slowly.",
        do="Leave the sigmoid out of the model, and use it only to show probabilities.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "sigmoid with BCELoss": BROKEN.replace("binary_cross_entropy_with_logits", "binary_cross_entropy"),
        "sigmoid only to show": FIXED.replace(
            "    optimizer.zero_grad()", "    shown = model(x).sigmoid().mean()\n    optimizer.zero_grad()"
        ),
        "a gate inside": FIXED.replace("self.fc(x)", "self.fc(x * torch.sigmoid(x))"),
    },
    explains=("E07",),
)
