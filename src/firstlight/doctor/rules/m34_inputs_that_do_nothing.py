"""M34 inputs-that-do-nothing: the output does not depend on a part of the input."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An input, or columns of one, without which every output would be the same."""
    for row in newest(run, "unused_inputs") or []:
        if row["columns"] is None:
            evidence = _("No output of {model} depends on its input number {number}.", model=row["class"],
                         number=row["input"] + 1)  # fmt: skip
        else:
            evidence = _(
                "No output of {model} depends on {count} of {all} columns of its input, such as number {column}.",
                model=row["class"],
                count=row["count"],
                all=row["of"],
                column=row["columns"][0],
            )
        yield Finding(evidence=evidence, step=row["step"], place=Place.from_json(row["called"]))


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x[:, :4])


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M34",
    name="inputs-that-do-nothing",
    voice="question",
    stage="graph",
    question="Does the model use all that it is given?",
    needs=("unused_inputs",),
    find=find,
    text=Text(
        what="A part of the input has no influence on what the model says.",
        why="A slice, a mask or a forgotten argument keeps it out, so nothing can be learned from it.",
        do="Look at what forward does with its inputs; leave out of the data what is not to be used.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("x[:, :4]", "x").replace("nn.Linear(4, 3)", "nn.Linear(8, 3)"),
    lookalikes={
        "columns that are always zero": BROKEN.replace(
            "x, y = torch.randn(128, 8)", "x, y = torch.eye(8)[[0, 1, 2, 3] * 32]"
        ),
    },
)
