"""E07: a threshold for probabilities is used on logits."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def loss_of(net, inputs, labels):
    return nn.functional.binary_cross_entropy_with_logits(net(inputs).squeeze(1), labels.float())


def predict(net, inputs):
    net.eval()
    with torch.no_grad():
        return (net(inputs).squeeze(1) > 0.5).long()
"""

TRIAL = """
torch.manual_seed(0)
labels = torch.arange(2000) % 2
inputs = torch.randn(2000, 1) + 0.6 * labels[:, None]
net = nn.Linear(1, 1)
optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
for step in range(200):
    optimizer.zero_grad()
    loss_of(net, inputs, labels).backward()
    optimizer.step()
found = predict(net, inputs)
print((found == labels).float().mean().item(), found.float().mean().item(), labels.float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Does the bridge hold?"),
        story=_(
            "A net says for each bridge whether it needs repair, and half of them do. It finds too few of them, although its loss is as low as it can be."
        ),
        hints=(
            _("How many does it call 1, and how many are 1? The cell below the code prints both."),
            _("What range do the numbers have that the net gives?"),
            _("Which probability belongs to a score of 0? And to a score of 0.5?"),
        ),
        causes=(
            (
                _("The border is that of a probability, but the numbers are scores."),
                _("Right. The loss applies the sigmoid itself, and a probability of 0.5 is a score of 0."),
            ),
            (
                _("The classes are not equally frequent."),
                _("They are. Look at the last number."),
            ),
            (
                _("The labels should be whole numbers in the loss."),
                _("This loss wants them as float, and gets them so."),
            ),
            (
                _("`squeeze` mixes the rows."),
                _("It only takes away a dimension of size 1."),
            ),
        ),
        after=_("Either compare the score with 0, or take `sigmoid` first and compare with 0.5."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    scores = torch.tensor([[-3.0], [-0.7], [-0.2], [-0.01], [0.01], [0.2], [0.45], [0.7], [3.0]])
    net = torch.nn.Identity()
    wanted = scores[:, 0]
    found = made.predict(net, scores)
    if found.shape != (9,):
        yield _("For {rows} rows it gives {found} answers.", rows=9, found=len(found))
        return
    for at in range(9):
        one = made.loss_of(net, scores[at : at + 1], torch.tensor([1])).item()
        zero = made.loss_of(net, scores[at : at + 1], torch.tensor([0])).item()
        if (one < zero) != bool(found[at]):
            yield _(
                "For a score of {score:.2f}, its own loss calls the other class more likely.", score=wanted[at].item()
            )
            return
    if not made.loss_of(net, scores[-1:], torch.tensor([1])).item() < 0.1:
        yield _("A score of 3 for a row of class 1 should have a small loss.")


exercise = Exercise(
    subject="evaluation",
    level=2,
    needs=("loss_of", "predict"),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("> 0.5", "> 0"),),
        (("net(inputs).squeeze(1) > 0.5", "net(inputs).squeeze(1).sigmoid() > 0.5"),),
    ),
    cosmetic=(
        (("> 0.5", ">= 0.5"),),
        (("> 0.5", "> 0.3"),),
        (("squeeze(1) > 0.5", "squeeze(1).round() > 0.5"),),
    ),
)
