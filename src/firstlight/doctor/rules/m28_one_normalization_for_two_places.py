"""M28 one-normalization-for-two-places: the same layer stands in several places, where several were meant."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.pointing import instead, layer_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_REPEATED = Text(
    what="The {count} layers of a list are one and the same layer.",
    why="`[layer] * {count}` writes down one object {count} times: there is one set of weights, and each place "
    "uses it.",
    do="To have layers of their own, make each: `[... for _ in range({count})]`. Where they are to share weights, "
    "say so: `# doctor: intended`.",
)


def find(run: Run) -> Iterator[Finding]:
    """A BatchNorm that runs several times in one pass, while layers beside it run once; one layer, times a number."""
    yield from _repeated(run)
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
            voice="note",
        )


def _repeated(run: Run) -> Iterator[Finding]:
    """A container that holds a layer with weights several times, and the only line that makes one and repeats it."""
    held = [one for row in newest(run, "single_samples") or [] for one in row["repeated"]]
    made = [
        (place, node, unit)
        for place, node, unit in Code.of(run).walk(ast.BinOp)
        if isinstance(node.op, ast.Mult) and held and any(_makes(side, held[0][1]) for side in (node.left, node.right))
    ]
    if len(made) != 1:
        return
    (name, layer, count), (place, node, unit) = held[0], made[0]
    items, times = (node.left, node.right) if _makes(node.left, layer) else (node.right, node.left)
    each = f"[{ast.unparse(items.elts[0])} for _ in range({ast.unparse(times)})]"
    yield Finding(
        evidence=_("{name} holds one {layer} {count} times.", name=name, layer=layer, count=count),
        step=0,
        place=place,
        values={"count": count},
        text=_REPEATED,
        edits=instead(unit, node, each),
    )


def _makes(node: ast.expr, layer: str) -> bool:
    """Whether it is a list of one layer that is made there: of a named one, that it is the same is written."""
    made = node.elts[0] if isinstance(node, ast.List) and len(node.elts) == 1 else None
    return isinstance(made, ast.Call) and callee(made) == layer


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

_LIST = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(*[nn.Linear(8, 8)] * 3, nn.Linear(8, 3))
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
    voice="question",
    stage="review",
    question="Has each place of the model its own layer?",
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
        "a layer that is named, several times": _LIST.replace("[nn.Linear(8, 8)]", "[layer]").replace(
            "model =", "layer = nn.Linear(8, 8)\nmodel ="
        ),
        "an activation, several times": _LIST.replace("nn.Linear(8, 8)", "nn.ReLU()"),
    },
)
