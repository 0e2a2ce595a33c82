"""M32 sum-instead-of-mean: the loss is a sum over the batch, and the learning rate is one for a mean."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.observers.weights import learns
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, instead
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A loss with reduction="sum" under plain SGD, and a loss that does not fall or is no number any more."""
    values = newest(run, "loss_values")
    optimizers = (values or {}).get("optimizers", {})
    if "SGD" not in optimizers or learns(values):
        return  # Adam divides a factor out again; and what learns is well
    yield from _by_hand(run, values, optimizers["SGD"]["lr"])
    if not any(row.get("top") for row in (newest(run, "loss_heads") or {}).get("heads", ())):
        return  # the sum is divided, or is a part of something
    for row in newest(run, "loss_calls") or []:
        count = (row.get("labels") or [1])[:1]
        if row.get("reduction") != "sum" or not count or count[0] < 8:
            continue
        code = Code.of(run)
        found = [
            (place, argument(node, "reduction"), unit)
            for node_place, node, unit in code.walk(ast.Call)
            for place in [node_place]
            if getattr(argument(node, "reduction"), "value", None) == "sum"
        ]
        place, edits = Place.from_json(row["place"]), ()
        if len(found) == 1 and found[0][1] is not None:
            place, edits = found[0][0], instead(found[0][2], found[0][1], '"mean"')  # type: ignore[assignment]
        yield Finding(
            evidence=_(
                "{loss} sums over {count} samples, so each step of SGD with lr={rate} is {count} times that of a mean.",
                loss=row["loss"],
                count=count[0],
                rate=optimizers["SGD"]["lr"],
            ),
            step=values["values"][-1][0] if values else None,
            place=place,
            edits=edits,
        )
        return


def _by_hand(run: Run, values: dict[str, Any] | None, rate: float | None) -> Iterator[Finding]:
    """The same of a likelihood that is taken out of a log-softmax, one number for each sample, and added up."""
    seen = newest(run, "loss_heads") or {}
    count = seen.get("summed", 0)
    alone = [row for row in seen.get("heads", ()) if row["kind"] == "log_softmax" and row["under"] == "gather"]
    if count < 8 or not alone or not values:
        return
    yield Finding(
        evidence=_(
            "{loss} sums over {count} samples, so each step of SGD with lr={rate} is {count} times that of a mean.",
            loss="log_softmax",
            count=count,
            rate=rate,
        ),
        step=values["values"][-1][0],
        place=Place.from_json(alone[0]["backward"]) if alone[0]["loss"] is None else Place.from_json(alone[0]["loss"]),
    )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M32",
    name="sum-instead-of-mean",
    voice="question",
    stage="optimizer",
    question="Is a step as large for a small batch as for a large one?",
    needs=(
        "loss_calls",
        "loss_heads",
    ),
    find=find,
    text=Text(
        what="The loss is summed over the batch, and the steps are so large that nothing is learned.",
        why="A sum grows with the batch, and the gradient with it. A learning rate that fits a mean is then far too "
        "high.",
        do='Write reduction="mean", or divide the learning rate by the size of the batch.',
    ),
    broken=BROKEN,
    fixed=BROKEN.replace('reduction="sum"', 'reduction="mean"').replace("lr=0.5", "lr=0.1"),
    lookalikes={
        "a small learning rate": BROKEN.replace("lr=0.5", "lr=0.001"),
        "divided by the count": BROKEN.replace('reduction="sum")', 'reduction="sum") / 12800').replace(
            "lr=0.5", "lr=1e-5"
        ),
        "Adam": BROKEN.replace("SGD(model.parameters(), lr=0.5)", "Adam(model.parameters(), lr=0.01)"),
    },
    explains=("L14", "L18", "L19"),
)
