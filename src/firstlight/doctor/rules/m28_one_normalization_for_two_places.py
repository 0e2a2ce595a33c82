"""M28 one-normalization-for-two-places: the same batch normalization stands behind different layers."""

from collections.abc import Iterator

from firstlight.doctor.pointing import layer_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A BatchNorm that runs several times in one pass, while layers beside it run once."""
    for row in newest(run, "called_twice") or []:
        if row["looks"] < 2:
            continue
        made = layer_made(run, row["name"], row["layer"])
        yield Finding(
            evidence=_(
                "{name} ({layer}) runs {count} times in each pass.",
                name=row["name"],
                layer=row["layer"],
                count=row["count"],
            ),
            step=2,
            place=made[0] if made is not None else None,
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(self.norm(self.second(x)))
        return self.head(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M28",
    name="one-normalization-for-two-places",
    voice="note",
    stage="review",
    question="Has each layer its own batch normalization?",
    needs=("called_twice", "single_samples"),
    find=find,
    text=Text(
        what="One batch normalization is used in several places of the model.",
        why="Its running mean and spread are then a mixture of what the places give, and fit none of them in "
        "evaluation mode.",
        do="Make one batch normalization for each place.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("self.norm(self.second(x))", "self.second(x)"),
    lookalikes={
        "a whole block twice": BROKEN.replace("self.norm(self.second(x))", "self.norm(self.first(x))").replace(
            ", self.second = nn.Linear(8, 8), nn.Linear(8, 8)", " = nn.Linear(8, 8)"
        ),
    },
)
