"""M18 layer-of-dead-units: nearly all units of a ReLU layer give zero for every sample."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

# Of 29 healthy programs, the layer with most silent units had 38 % of them; of programs with the fault, 95 % and more.
_SHARE = 0.95
_SAMPLES = 160


def find(run: Run) -> Iterator[Finding]:
    """A ReLU none of whose units answered to any sample of ten batches."""
    rows = [row for row in newest(run, "silent_units") or [] if row["silent"] >= _SHARE and row["samples"] >= _SAMPLES]
    for row in rows[-1:]:  # the deepest below the loss: what follows it is silent because of it
        yield Finding(
            evidence=_(
                "{share} % of {units} units of a ReLU gave 0 for all samples of the last {batches} batches looked at.",
                share=round(100 * row["silent"]),
                units=row["units"],
                batches=row["batches"],
            ),
            step=row["step"],
            place=_biased(run) or Place.from_json(row["line"]),
            check="print((hidden > 0).any(dim=0).float().mean())  # the share of units that answer at all",
        )


def _biased(run: Run) -> Place | None:
    """The only line that sets biases to a number below zero."""
    found = []
    for place, node, _unit in Code.of(run).calls("constant_", "fill_"):
        if "bias" in ast.unparse(node) and any(isinstance(one, ast.UnaryOp) for one in node.args):
            found.append(place)
    return found[0] if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
nn.init.constant_(model[0].bias, -50.0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(40):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M18",
    name="layer-of-dead-units",
    voice="alarm",
    stage="dynamics",
    question="Does each unit with a ReLU answer to some samples?",
    needs=("silent_units",),
    find=find,
    text=Text(
        what="Nearly all units of a ReLU layer give 0 for every sample: they are dead.",
        why="Where ReLU gives 0 the gradient is 0, so the weights before it never change again. A step that was too "
        "large, or a bias far below zero, does this.",
        do="Lower the learning rate or the first biases, put a normalization before ReLU, or use LeakyReLU.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("-50.0", "0.0"),
    lookalikes={
        "half of the units are silent": BROKEN.replace("model[0].bias, -50.0", "model[0].bias[:8], -50.0").replace(
            "nn.init", "with torch.no_grad():\n    nn.init"
        ),
        "sparse inputs": BROKEN.replace("-50.0", "0.0").replace(
            "torch.randn(128, 8),", "torch.randn(128, 8) * (torch.rand(128, 8) < 0.05),"
        ),
    },
    explains=("L15", "E12"),
)
