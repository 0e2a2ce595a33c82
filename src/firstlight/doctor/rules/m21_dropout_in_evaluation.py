"""M21 dropout-in-evaluation: F.dropout drops in evaluation mode too, since nobody tells it the mode."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import call_at, with_argument
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A functional dropout that was on while the model was in evaluation mode."""
    for row in newest(run, "dropout") or []:
        if row["root_training"]:
            continue
        place = Place.from_json(row["place"])
        yield Finding(
            evidence=_(
                "{function} dropped {share} % in {count} passes of a model in evaluation mode.",
                function=row.get("function", "F.dropout"),
                share=round(100 * row["p"]),
                count=row["times"],
            ),
            step=row["step"],
            place=place,
            edits=_told(run, place),
            voice="question" if row["said"] else None,  # training=True written out may be meant, to see a spread
            check="print(torch.equal(model(x), model(x)))  # in evaluation mode, twice the same",
        )


def _told(run: Run, place: Place | None) -> tuple[Edit, ...]:
    found = call_at(Code.of(run), place, ("dropout",))
    inside = place is not None and place.function == "forward"
    return with_argument(found[2], found[1], "training", "self.training", 2) if found is not None and inside else ()


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
        return self.fc(nn.functional.dropout(x, 0.5))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
with torch.no_grad():
    right = sum((model(part).argmax(1) == labels).sum() for part, labels in zip(x.split(32), y.split(32)))
"""

rule = Rule(
    code="M21",
    name="dropout-in-evaluation",
    voice="alarm",
    stage="evaluation",
    question="Is dropout off when the model is evaluated?",
    needs=("dropout",),
    find=find,
    text=Text(
        what="F.dropout still drops numbers while the model is in evaluation mode.",
        why="Unlike nn.Dropout it does not know the mode: training is True unless you say otherwise. Each evaluation "
        "gives another, and worse, result.",
        do="Write F.dropout(x, p, training=self.training), or use nn.Dropout.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("dropout(x, 0.5)", "dropout(x, 0.5, training=self.training)"),
    lookalikes={
        "nn.Dropout": BROKEN.replace(
            "self.fc = nn.Linear(8, 3)", "self.fc, self.drop = nn.Linear(8, 3), nn.Dropout()"
        ).replace("nn.functional.dropout(x, 0.5)", "self.drop(x)"),
        "p is zero": BROKEN.replace("dropout(x, 0.5)", "dropout(x, 0.0)"),
    },
    explains=("E13",),
)
