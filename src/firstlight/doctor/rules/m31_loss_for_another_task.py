"""M31 loss-for-another-task: the targets are not of the kind that the loss is made for."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_SAMPLES = 100


def find(run: Run) -> Iterator[Finding]:
    """Targets outside of 0 to 1, class numbers under a squared error, or no probabilities in cross-entropy."""
    for row in newest(run, "loss_calls") or []:
        low, high = row.get("low"), row.get("high")
        place = Place.from_json(row["place"])
        if row["loss"].startswith("binary_cross_entropy") and low is not None and (low < -0.01 or high > 1.01):
            yield Finding(
                evidence=_(
                    "The targets of {loss} lie from {low} to {high}; they must lie from 0 to 1.",
                    loss=row["loss"],
                    low=round(low, 3),
                    high=round(high, 3),
                ),
                step=row["step"],
                place=place,
            )
        values = row.get("values") or []
        whole = len(values) >= 3 and all(float(one).is_integer() and one >= 0 for one in values)
        if row["loss"] == "mse_loss" and whole and row["samples"] >= _SAMPLES and len(values) <= 20:
            if sorted(values) != list(range(len(values))) or not row.get("width"):
                continue
            yield Finding(
                evidence=_(
                    "In {samples} samples, the targets of mse_loss are only the whole numbers 0 to {last}.",
                    samples=row["samples"],
                    last=int(max(values)),
                ),
                step=row["step"],
                place=place,
                voice="question",
            )
        if row["loss"] == "cross_entropy" and row.get("sums", 0.0) > 0.01:
            yield Finding(
                evidence=_(
                    "The targets of cross_entropy are numbers whose sum in a row differs from 1 by up to {off}.",
                    off=round(row["sums"], 3),
                ),
                step=row["step"],
                place=place,
                voice="question",
            )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M31",
    name="loss-for-another-task",
    voice="alarm",
    stage="graph",
    question="Is the loss made for such targets?",
    needs=("loss_calls",),
    find=find,
    text=Text(
        what="The loss is not made for these targets.",
        why="Binary cross-entropy wants 0, 1 or a share between, cross-entropy class numbers or probabilities that sum "
        "to 1, and a squared error takes class 3 for three times class 1.",
        do="For classes use cross_entropy with int64 labels, for yes or no BCEWithLogitsLoss, for quantities mse_loss.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("y.float()", "(y > 1).float()"),
    lookalikes={
        "soft labels": BROKEN.replace("y.float()", "(y > 1) * 0.8 + 0.1"),
        "probabilities in cross-entropy": BROKEN.replace("nn.Linear(8, 1)", "nn.Linear(8, 3)").replace(
            "binary_cross_entropy_with_logits(model(x)[:, 0], y.float())",
            "cross_entropy(model(x), nn.functional.one_hot(y, 3) * 0.7 + 0.1)",
        ),
        "a squared error of quantities": BROKEN.replace(
            "binary_cross_entropy_with_logits(model(x)[:, 0], y.float())", "mse_loss(model(x)[:, 0], x.sum(1))"
        ),
    },
    explains=("L22", "L14", "L18", "L19"),
)
