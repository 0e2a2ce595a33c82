"""M27: a column of guesses against a row of targets."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def train(inputs, targets):
    net = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for epoch in range(15):
        for rows in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            errors = net(inputs[rows]) - targets[rows]
            errors.square().mean().backward()
            optimizer.step()
    return net
"""

TRIAL = """
torch.manual_seed(0)
inputs = torch.randn(400, 3)
targets = 3 * inputs[:, 0] - 2 * inputs[:, 1] + 5
guesses = train(inputs, targets)(inputs).flatten()
print(guesses.min().item(), guesses.max().item(), targets.min().item(), targets.max().item())
"""


def words() -> Words:
    return Words(
        title=_("The harvest of a vineyard"),
        story=_(
            "From three measurements a net shall foretell a harvest. After training it always says nearly the same: the mean."
        ),
        hints=(
            _("The mean is the best guess of someone who may not look. Does the loss look at the right pairs?"),
            _("Print the shape of each tensor in the line with `errors`."),
            _("How many errors are there for 32 rows?"),
        ),
        causes=(
            (
                _("Each guess is compared with each target of the batch."),
                _(
                    "Right. A column minus a row is a whole table, and its mean is smallest for the mean of the targets."
                ),
            ),
            (
                _("A net cannot give numbers below zero."),
                _("Its last layer gives any number."),
            ),
            (
                _("The targets should be between 0 and 1."),
                _("It may help with very large targets. These are small."),
            ),
            (
                _("Squares make the errors too large."),
                _("Then the loss would look large, but it would still know the right pairs."),
            ),
        ),
        after=_("Make both of one shape before you subtract: `net(...).squeeze(1)`, or targets of shape (N, 1)."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(13)
    inputs = torch.randn(600, 3)
    targets = 2 * inputs[:, 0] - 3 * inputs[:, 2] + inputs[:, 1] + 4
    net = made.train(inputs[:400], targets[:400])
    with torch.no_grad():
        guesses = net(inputs[400:]).flatten()
    if len(guesses) != 200:
        yield _("It does not give one number for each row.")
        return
    share = ((guesses - targets[400:]).square().mean() / targets[400:].var()).item()
    if not share < 0.1:
        yield _(
            "On new rows, its squared error is {share:.0%} of that of someone who always says the mean.", share=share
        )


exercise = Exercise(
    subject="model",
    level=1,
    needs=("train",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("net(inputs[rows]) - targets[rows]", "net(inputs[rows]).squeeze(1) - targets[rows]"),),
        (("net(inputs[rows]) - targets[rows]", "net(inputs[rows]) - targets[rows, None]"),),
        (("nn.Linear(32, 1))", "nn.Linear(32, 1), nn.Flatten(0))"),),
    ),
    cosmetic=(
        (("range(15)", "range(20)"),),
        (("errors.square().mean()", "errors.abs().mean()"),),
    ),
)
