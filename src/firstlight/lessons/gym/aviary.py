"""M21: dropout that never rests."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 64)
        self.second = nn.Linear(64, 4)

    def forward(self, inputs):
        hidden = nn.functional.dropout(self.first(inputs).relu(), 0.5)
        return self.second(hidden)
"""

TRIAL = """
torch.manual_seed(0)
net = Net().eval()
inputs = torch.randn(1, 8)
for time in range(3):
    print(net(inputs))
"""


def words() -> Words:
    return Words(
        title=_("Voices in an aviary"),
        story=_(
            "A net names birds by their voices. Its maker has called `net.eval()`, yet the same recording gets one name today and another tomorrow."
        ),
        hints=(
            _("The same input, two answers: something draws random numbers."),
            _("What does `net.eval()` change, and what can it not reach?"),
            _("Look at the arguments that `nn.functional.dropout` can take."),
        ),
        causes=(
            (
                _("A part of the net does not know whether it is training."),
                _("Right. The function takes part in training unless it is told otherwise."),
            ),
            (
                _("`eval()` came too late."),
                _("It came before the calls. Later or earlier makes no difference here."),
            ),
            (
                _("The recordings are too much alike."),
                _("It is one and the same recording."),
            ),
            (
                _("Float sums differ a little each time."),
                _("Only in their last digits, and not on one thread."),
            ),
        ),
        after=_("Use the layer `nn.Dropout(0.5)`, which `eval()` switches off, or pass `training=self.training`."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(14)
    net, inputs = made.Net(), torch.randn(20, 8)
    yield from grading.undecided(net, inputs)
    net.train()
    torch.manual_seed(1)
    first = net(inputs)
    torch.manual_seed(2)
    if torch.equal(first, net(inputs)):
        yield _("While it trains, nothing is left out at random any more. Dropout was wanted, and is gone.")


exercise = Exercise(
    subject="model",
    level=2,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("relu(), 0.5)", "relu(), 0.5, training=self.training)"),),
        (
            ("        self.second =", "        self.drop = nn.Dropout(0.5)\n        self.second ="),
            ("nn.functional.dropout(self.first(inputs).relu(), 0.5)", "self.drop(self.first(inputs).relu())"),
        ),
    ),
    cosmetic=(
        (("0.5)", "0.05)"),),
        (("nn.functional.dropout(self.first(inputs).relu(), 0.5)", "self.first(inputs).relu()"),),
    ),
)
