"""M08 wrong-number-of-outputs: the model gives one score, or far more scores than there are classes."""

from collections.abc import Iterator
from typing import Any

from firstlight.doctor.places import Place
from firstlight.doctor.pointing import layer_made, loss_line
from firstlight.doctor.raised import too_few_outputs
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_SAMPLES = 300  # from here on a class that is there would have been seen


def find(run: Run) -> Iterator[Finding]:
    """A softmax over a single number; or at least twice as many outputs as classes were seen."""
    for finding in too_few_outputs(run):
        yield finding.moved_to(_newest_layer(run))
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        shape, dim = row["shape"] or [], row["dim"] if row["kind"] == "log_softmax" else row["fed_dim"]
        if row["times"] < 2 or dim is None or dim >= len(shape) or shape[dim] != 1 or len(shape) < 2:
            continue
        if row["kind"] != "log_softmax" and len(shape) > 2:
            continue  # of a sequence, the loss is given another shape than the softmax had
        if row["kind"] == "log_softmax" and row["under"] not in ("nll", "soft", "gather"):
            continue
        if row["kind"] == "log_softmax" or (row["feeder"] == "Softmax" and row["kind"] in ("bce", "mse", "nll")):
            yield Finding(
                evidence=_(
                    "The softmax of the loss works over 1 number in each row of {shape}, so its result is always 1.",
                    shape=str(tuple(shape)),
                ),
                step=row["step"],
                place=_last_layer(run, row),
                check="print(output.shape)  # the last number is the number of classes",
            )
            return
    rows_of_outputs = [model["dims"] for model in newest(run, "graph_models") or [] if model["dims"]]
    if any(dims[0] != 2 for dims in rows_of_outputs):
        return  # sequences and pictures: a vocabulary is larger than what a text uses
    for call in newest(run, "loss_calls") or []:
        seen, scores = len(call.get("classes", ())), call.get("scores") or []
        if call["loss"] not in ("cross_entropy", "nll_loss") or len(scores) != 2 or call["samples"] < _SAMPLES:
            continue
        if seen >= 2 and scores[1] >= 2 * seen and scores[1] <= 2000:
            yield Finding(
                evidence=_(
                    "The model gives {outputs} scores for each sample; {seen} classes were seen in {samples} labels.",
                    outputs=scores[1],
                    seen=seen,
                    samples=call["samples"],
                ),
                step=call["step"],
                place=_newest_layer(run) or Place.from_json(call["place"]),
                voice="question",
            )
            return
    for one in newest(run, "labels") or []:
        samples, width = sum(one["train"].values()), one["width"] or 0
        if not one["epoch_whole"] or samples < _SAMPLES or not one["losses"].keys() <= {"cross_entropy", "nll_loss"}:
            continue
        if len(one["train"]) >= 2 and 2 * len(one["train"]) <= width <= 2000:
            yield Finding(
                evidence=_(
                    "The model gives {outputs} scores for each sample; {seen} classes were seen in {samples} labels.",
                    outputs=width,
                    seen=len(one["train"]),
                    samples=samples,
                ),
                step=one["step"],
                place=_newest_layer(run) or Place.from_json(one["place"]),
                voice="question",
            )


def _newest_layer(run: Run) -> Place | None:
    """Where the layer is made that gives what the model gives."""
    lasts = [model["last"] for model in newest(run, "graph_models") or [] if model.get("last")]
    made = layer_made(run, lasts[0][1], lasts[0][0]) if len(lasts) == 1 else None
    return made[0] if made is not None else None


def _last_layer(run: Run, row: dict[str, Any]) -> Place | None:
    """Where the layer that gives the one number is made, else the line of the loss."""
    made = layer_made(run, row["layer"][1], row["layer"][0]) if row["layer"] else None
    return made[0] if made is not None else _newest_layer(run) or Place.from_json(row["line"]) or loss_line(run, row)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.zeros(128, dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 1)

    def forward(self, x):
        return self.fc(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M08",
    name="wrong-number-of-outputs",
    voice="alarm",
    stage="graph",
    question="Does the model give one score for each class?",
    needs=("loss_heads", "loss_calls", "labels", "failure"),
    find=find,
    text=Text(
        what="The number of scores that the model gives does not fit the classes.",
        why="A softmax over one number is always 1, so the loss is always 0. Scores for classes that do not exist take "
        "room, and may show that a last layer was not replaced.",
        do="Let the last layer give one number for each class. For one yes-or-no score, use BCEWithLogitsLoss.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("nn.Linear(8, 1)", "nn.Linear(8, 2)"),
    lookalikes={
        "one score with its own loss": BROKEN.replace(
            "torch.zeros(128, dtype=torch.long)", "torch.ones(128, 1)"
        ).replace("functional.cross_entropy", "functional.binary_cross_entropy_with_logits"),
        "attention over one place": BROKEN.replace("nn.Linear(8, 1)", "nn.Linear(8, 2)").replace(
            "return self.fc(x)", "return self.fc(torch.softmax(x[:, :1], dim=1) * x)"
        ),
    },
    explains=("L04", "M13", "E07", "L15", "E12", "E11"),
)
