"""M12 layer-never-used: a layer is part of the model, and never runs."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.pointing import layer_made, part_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A layer whose weights an optimizer holds, that never ran, or whose result went nowhere, and got no gradient."""
    reach = newest(run, "reach") or {}
    if reach.get("looks", 0) < 3 or not reach.get("reached"):
        return
    for row in reach["cut"]:
        if row["left"] and row["stepped"] and row["times"] >= 3 and not row["moved"]:
            made = layer_made(run, row["name"], row["layer"])
            line = Place.from_json(row["line"])
            yield Finding(
                evidence=_(
                    "{name} ({layer}, {count} numbers) ran before {looks} losses; nothing came of its result, and it "
                    "has no gradient.",
                    name=row["name"],
                    layer=row["layer"],
                    count=row["weights"],
                    looks=row["times"],
                ),
                step=row["step"],
                place=line or (made[0] if made is not None else None),
                places=(made[0],) if made is not None and line is not None else (),
                values={"name": row["name"]},
                check="print({name: weight.grad is None for name, weight in model.named_parameters()})",
            )
            return
    for row in reach["unused"][:3]:
        if not row["stepped"]:
            continue
        made = layer_made(run, row["name"], row["layer"])
        yield Finding(
            evidence=_(
                "{name} ({layer}, {count} numbers) did not run at any of {looks} looks, and has no gradient.",
                name=row["name"],
                layer=row["layer"],
                count=row["weights"],
                looks=reach["looks"],
            ),
            step=2,
            place=made[0] if made is not None else part_made(run, row["name"]),
            values={"name": row["name"]},
            check="print({name: weight.grad is None for name, weight in model.named_parameters()})  # after backward()",
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
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
    code="M12",
    name="layer-never-used",
    voice="question",
    stage="graph",
    question="Does each layer of the model run?",
    needs=("reach",),
    find=find,
    text=Text(
        what="{name} is part of the model, but forward never uses it.",
        why="Its weights stay as they were made. Often another layer is used twice in its place.",
        do="Use it in forward, or take it out of the model.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("self.head(x)", "self.head(torch.relu(self.second(x)))"),
    lookalikes={
        "its weight is used without a call": BROKEN.replace(
            "self.head(x)", "self.head(nn.functional.linear(x, self.second.weight, self.second.bias))"
        ),
        "frozen": BROKEN.replace("model = Net()", "model = Net()\nmodel.second.requires_grad_(False)"),
    },
)
