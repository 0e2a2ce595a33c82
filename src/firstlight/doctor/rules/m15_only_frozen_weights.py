"""M15 only-frozen-weights: the optimizer holds only weights that are frozen."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.raised import all_frozen
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 3


def find(run: Run) -> Iterator[Finding]:
    """An optimizer none of whose weights wants a gradient, at each of its steps; a last layer that is frozen."""
    yield from all_frozen(run)
    for row in newest(run, "frozen") or []:
        if row["frozen"] >= _TIMES and row["frozen"] == row["steps"] and row.get("weights"):
            yield Finding(
                evidence=_(
                    "In all {count} steps of {optimizer}, none of its {weights} weights had requires_grad set.",
                    count=row["steps"],
                    optimizer=row["optimizer"],
                    weights=row["weights"],
                ),
                step=row["step"],
                place=Place.from_json(row["made"]),
                check="print([w.requires_grad for group in optimizer.param_groups for w in group['params']])",
            )

    for model in newest(run, "graph_models") or []:
        if model["frozen_last"]:
            name, layer = model["frozen_last"]
            yield Finding(
                evidence=_(
                    "{name} ({layer}) runs last and has requires_grad=False; layers before it are trained.",
                    name=name,
                    layer=layer,
                ),
                step=2,
                place=_freezing(run) or Place.from_json(model["called"]),
                voice="question",
            )


def _freezing(run: Run) -> Place | None:
    """The only line that freezes weights."""
    code = Code.of(run)
    found = [
        place
        for place, node, _unit in code.walk(ast.Assign)
        if any(isinstance(target, ast.Attribute) and target.attr == "requires_grad" for target in node.targets)
        and getattr(node.value, "value", None) is False
    ]
    found += [
        place
        for place, node, _unit in code.calls("requires_grad_")
        if any(getattr(one, "value", None) is False for one in (*node.args, *(k.value for k in node.keywords)))
    ]
    return found[0] if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
backbone, head = nn.Linear(8, 8), nn.Linear(8, 3)
backbone.requires_grad_(False)
optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(head(torch.relu(backbone(x))), y)
    optimizer.zero_grad()
    loss.backward()
    head.zero_grad()
    optimizer.step()
"""

rule = Rule(
    code="M15",
    name="only-frozen-weights",
    voice="alarm",
    stage="optimizer",
    question="Does each optimizer hold weights that may change?",
    needs=("frozen", "graph_models", "failure"),
    find=find,
    text=Text(
        what="Weights are frozen that should learn: all that an optimizer holds, or the last layer.",
        why="A weight with requires_grad=False gets no gradient, and an optimizer passes over it. The last "
        "layer is the one that a new task needs most.",
        do="Give the optimizer the weights that are to be trained, or set requires_grad to True on them.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("SGD(backbone.parameters()", "SGD(head.parameters()").replace("    head.zero_grad()\n", ""),
    lookalikes={
        "frozen in turns, as in a GAN": BROKEN.replace(
            "for step in range(20):\n", "for step in range(20):\n    backbone.requires_grad_(step > 1)\n"
        ).replace("    head.zero_grad()\n", ""),
    },
    explains=("L05", "L06", "L04", "L02", "L15"),
)
