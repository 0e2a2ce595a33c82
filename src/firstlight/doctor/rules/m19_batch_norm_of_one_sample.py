"""M19 batch-norm-of-one-sample: batch normalization is trained with batches of one sample."""

from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, layer_made
from firstlight.doctor.raised import normalized_one
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_NORMS = ("BatchNorm2d", "BatchNorm1d", "BatchNorm3d", "LazyBatchNorm2d", "SyncBatchNorm")


def find(run: Run) -> Iterator[Finding]:
    """A model with BatchNorm in training mode that was given one sample at a time."""
    yield from normalized_one(run)
    for row in newest(run, "single_samples") or []:
        if row["ones"] < 5 or row["ones"] < 0.9 * row["calls"] or not row["norm_of_one"]:
            continue
        labels = [call for call in newest(run, "loss_calls") or [] if call.get("labels") == [1]]
        yield Finding(
            evidence=_(
                "In {count} of {calls} training passes, {model} was given 1 sample; it normalizes with {name}.",
                count=row["ones"],
                calls=row["calls"],
                model=row["class"],
                name=row["norms"][0],
            ),
            step=row["step"],
            place=_of_one(run) or _norm(run, row["norms"][0]) or Place.from_json(row["called"]),
            # Pictures made from pictures are often trained one by one, and of several models another may have labels.
            voice="alarm" if labels and len(newest(run, "single_samples") or []) == 1 else "question",
        )


def _of_one(run: Run) -> Place | None:
    """The only loader with batches of one."""
    found = []
    for place, node, _unit in Code.of(run).calls("DataLoader", "batches"):
        size = argument(node, "batch_size") or argument(node, "size", 1 if callee(node) == "DataLoader" else 0)
        if getattr(size, "value", None) == 1 or (size is None and callee(node) == "DataLoader"):
            found.append(place)
    return found[0] if found else None


def _norm(run: Run, name: str) -> Place | None:
    made = next((found for layer in _NORMS if (found := layer_made(run, name, layer))), None)
    return made[0] if made is not None else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(20, 1, 6, 6), torch.randint(3, (20,))
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for at in range(20):
    loss = nn.functional.cross_entropy(model(x[at : at + 1]), y[at : at + 1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M19",
    name="batch-norm-of-one-sample",
    voice="alarm",
    stage="graph",
    question="Does batch normalization see more than one sample?",
    needs=("single_samples", "failure"),
    find=find,
    text=Text(
        what="The model has batch normalization and is trained with one sample at a time.",
        why="It then takes mean and spread from that sample alone, which erases what tells samples apart, and differs "
        "from what evaluation mode uses.",
        do="Use a larger batch, or GroupNorm or LayerNorm instead.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("at : at + 1", "at : at + 8").replace("range(20)", "range(12)"),
    lookalikes={
        "GroupNorm": BROKEN.replace("nn.BatchNorm2d(4)", "nn.GroupNorm(2, 4)"),
        "frozen statistics": BROKEN.replace("for at", "model[1].eval()\nfor at"),
    },
)
