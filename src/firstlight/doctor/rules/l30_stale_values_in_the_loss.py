"""L30 stale-values-in-the-loss: the loss is made of an output, or of labels, of an earlier batch."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.raised import computed_before
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Backward passes through outputs of before; losses with the same targets although the loader gave new ones."""
    yield from computed_before(run)
    passes = newest(run, "passes") or {}
    if passes.get("stale", 0) >= 5 and passes["stale"] >= 0.5 * passes["backwards"]:
        yield Finding(
            evidence=_(
                "{count} of {backwards} backward passes went through an output from before, "
                "and through none that the model had given since.",
                count=passes["stale"],
                backwards=passes["backwards"],
            ),
            step=passes["stale_step"],
            place=Place.from_json(passes["stale_place"]),
        )
        return
    losses = newest(run, "losses") or {}
    if losses.get("same", 0) >= 10 and losses["same"] >= 0.9 * losses["asked"] and not losses.get("again"):
        yield Finding(
            evidence=_(
                "In {count} of {asked} batches the loss was given the very same tensor of targets, "
                "although the model was given other rows of the data.",
                count=losses["same"],
                asked=losses["asked"],
            )
            if losses.get("sliced")
            else _(
                "In {count} of {asked} batches the loss was given the very same tensor of targets, "
                "although the loader had given a new batch.",
                count=losses["same"],
                asked=losses["asked"],
            ),
            step=losses["same_step"],
            place=Place.from_json(losses["same_place"]),
        )


BROKEN = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(320, 8), torch.randint(3, (320,)))
loader = DataLoader(data, batch_size=16, shuffle=True)
images, labels = next(iter(loader))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for image, label in loader:
    loss = nn.functional.cross_entropy(model(image), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_ROWS = BROKEN.replace("images, labels = next(iter(loader))\n", "x, y = data.tensors\n").replace("lr=0.01", "lr=0.001")

rule = Rule(
    code="L30",
    name="stale-values-in-the-loss",
    voice="alarm",
    stage="graph",
    question="Is the loss made of this batch's output and labels?",
    needs=("passes", "losses", "failure"),
    find=find,
    text=Text(
        what="The loss uses a value of an earlier batch.",
        why="A variable with a similar name still holds what was computed before. It says nothing of this batch.",
        do="Use the names of this batch in the loss. In a notebook, restart and run all cells to find old names.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("labels)", "label)"),
    lookalikes={
        "the same labels for one batch, seen with other noise": BROKEN.replace(
            "for image, label in loader:", "for step in range(20):\n    image = images + 0.1 * torch.randn_like(images)"
        ),
        "slices of the data, each with its own labels": BROKEN.replace(
            "for image, label in loader:", "x, y = data.tensors\nfor image, labels in zip(x.split(16), y.split(16)):"
        ),
        "all samples with much noise, again and again": _ROWS.replace(
            "for image, label in loader:", "for step in range(20):\n    image, labels = x + torch.randn_like(x), y"
        ),
        "which of two views belongs to which": _ROWS.replace(
            "for image, label in loader:\n",
            "labels = torch.arange(16)\nfor rows in torch.randperm(320).split(16):\n    image = x[rows]\n",
        ).replace("model(image), labels", "model(image) @ model(image + 0.1).T, labels"),
        "half are of one kind, half of the other": _ROWS.replace(
            "for image, label in loader:\n",
            "labels = torch.arange(2).repeat_interleave(8)\nfor rows in torch.randperm(320).split(16):\n"
            "    image = torch.cat([x[rows[:8]] + 1, x[rows[8:]] - 1])\n",
        ),
        "a constant target for all batches": BROKEN.replace(
            "cross_entropy(model(image), labels)", "mse_loss(model(image), goal)"
        ).replace("model = ", "goal = torch.zeros(16, 3)\nmodel = "),
        "acts first, learns from memory": BROKEN.replace(
            "    loss = ", "    act = model(image[:1]).argmax()\n    loss = "
        ).replace("labels)", "label)"),
    },
    explains=("D01", "L15", "M25", "L09", "L31"),
)
