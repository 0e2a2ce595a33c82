"""M25 first-layers-stand-still: the gradient vanishes on its way to the first layers."""

import ast
from collections.abc import Iterator
from statistics import median

from firstlight.doctor.code import Code
from firstlight.doctor.observers.weights import learns
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_SHARE = 1e-3  # of a healthy model, first and last lie within a factor of ten or so; each sigmoid takes four fifths
_FIRST, _LAST = 1e-6, 1e-4  # of a healthy run, 0.006 to 0.045 of a weight's size move in a step, in all layers


def find(run: Run) -> Iterator[Finding]:
    """Three or more saturating layers, a first layer that hardly moves beside a last that does, and nothing learned."""
    found = list(_lost(run))
    yield from found or _still(run)


def _lost(run: Run) -> Iterator[Finding]:
    """Gradients, measured by the size of their weights: optimizers such as Adam hide it in the steps."""
    slopes = newest(run, "slopes") or {"looks": []}
    looks = slopes["looks"]
    if len(looks) < 4 or slopes["saturating"] < 3 or learns(newest(run, "loss_values")):
        return
    first, last = median(row["first"] for row in looks), median(row["last"] for row in looks)
    if 0 < first < _SHARE * last:
        models = newest(run, "weights_of_models") or []
        yield Finding(
            evidence=_(
                "The gradient of the first layer is {times} times smaller than that of the last, measured by their "
                "weights; the way between them has {count} saturating activations.",
                times=f"{last / first:.0e}",
                count=slopes["saturating"],
            ),
            step=looks[3]["step"],
            place=_activation(run) or Place.from_json(models[0]["called"] if models else None),
        )


def _activation(run: Run) -> Place | None:
    """The only line of the program that has a sigmoid or a tanh."""
    code = Code.of(run)
    found = {place.line: place for place, _node, _unit in code.calls("Sigmoid", "Tanh", "sigmoid", "tanh")}
    if not found:
        for place, node, _unit in code.walk(ast.Attribute):
            if node.attr in ("Sigmoid", "Tanh", "sigmoid", "tanh"):
                found[place.line] = place
    return next(iter(found.values())) if len(found) == 1 else None


def _still(run: Run) -> Iterator[Finding]:
    models = [model for model in newest(run, "weights_of_models") or [] if model["saturating"] >= 3]
    moved = [row for row in newest(run, "updates") or [] if "first" in row and "last" in row]
    values = newest(run, "loss_values")
    if not models or len(moved) < 4 or learns(values, share=0.1):
        return
    first, last = median(row["first"] for row in moved), median(row["last"] for row in moved)
    if first < _FIRST and last > _LAST:
        yield Finding(
            evidence=_(
                "In a step, the first layer moves by {first} of its size, the last by {last}; the model has {count} "
                "saturating activations.",
                first=f"{first:.1e}",
                last=f"{last:.1e}",
                count=models[0]["saturating"],
            ),
            step=moved[3]["step"],
            place=_activation(run) or Place.from_json(models[0]["called"]),
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
layers = [one for _ in range(10) for one in (nn.Linear(8, 8), nn.Sigmoid())]
model = nn.Sequential(*layers, nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(60):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M25",
    name="first-layers-stand-still",
    voice="question",
    stage="dynamics",
    question="Do gradients get as far as the first layers?",
    needs=("updates", "slopes"),
    find=find,
    text=Text(
        what="The first layers hardly move: the gradient is lost on its way through the activations.",
        why="Sigmoid and tanh make each gradient smaller. Through many of them, nearly nothing is left.",
        do="Use ReLU or GELU, a normalization, or connections that skip layers.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("nn.Sigmoid()", "nn.ReLU()").replace("range(10)", "range(2)"),
    explains=("L15", "E11", "E12"),
    lookalikes={"two sigmoids": BROKEN.replace("range(10)", "range(2)")},
)
