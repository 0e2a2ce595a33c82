"""M01: softmax in the model, and again in the loss."""

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
        self.hidden = nn.Linear(8, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, inputs):
        return self.out(self.hidden(inputs).relu()).softmax(dim=1)


def loss_of(net, inputs, labels):
    return nn.functional.cross_entropy(net(inputs), labels)
"""

TRIAL = """
torch.manual_seed(0)
inputs, labels = torch.randn(12, 8), torch.arange(12) % 4
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
for step in range(301):
    optimizer.zero_grad()
    loss = loss_of(net, inputs, labels)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
"""


def words() -> Words:
    return Words(
        title=_("Flowers of a meadow"),
        story=_(
            "A net tells four flowers apart. Even with a dozen samples that it may learn by heart, its loss stops far above zero."
        ),
        hints=(
            _("The net knows the dozen samples well in the end. So why is the loss not small?"),
            _("What does `cross_entropy` expect, and what does it do with it first?"),
            _("Give `cross_entropy` the best scores that this net can ever give, such as 1, 0, 0, 0."),
        ),
        causes=(
            (
                _("Scores are turned into probabilities twice."),
                _("Right. The loss has a softmax of its own, and it flattens what was between 0 and 1 already."),
            ),
            (
                _("The net has too few weights."),
                _("It has many more weights than there are samples here."),
            ),
            (
                _("The hidden layer is dead."),
                _("Then the net could not learn the samples by heart, and it does."),
            ),
            (
                _("A loss of zero is never possible."),
                _("For samples that the net is sure of, it comes as near as you like."),
            ),
        ),
        after=_("Give `cross_entropy` plain scores. Use softmax only where you want to read probabilities."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(9)
    inputs, labels = torch.randn(12, 8), torch.arange(12) % 4
    net = made.Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _step in range(200):
        optimizer.zero_grad()
        loss = made.loss_of(net, inputs, labels)
        loss.backward()
        optimizer.step()
    if grading.accuracy(net, inputs, labels) < 1:
        yield _("It does not learn a dozen samples by heart.")
    elif not 0 <= loss.item() < 0.3:
        yield _("It knows a dozen samples by heart, and still its loss is {loss:.2f}.", loss=loss.item())
    else:
        wrong = made.loss_of(net, inputs, (labels + 1) % 4).item()
        if not wrong > 2:
            yield _("With wrong labels, its loss should be large. It is {loss:.2f}.", loss=wrong)


exercise = Exercise(
    subject="model",
    level=1,
    needs=("Net", "loss_of"),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        ((".softmax(dim=1)", ""),),
        (
            (
                "nn.functional.cross_entropy(net(inputs), labels)",
                "nn.functional.nll_loss((net(inputs) + 1e-9).log(), labels)",
            ),
        ),
    ),
    cosmetic=(
        ((".softmax(dim=1)", ".sigmoid()"),),
        (("nn.Linear(8, 32)", "nn.Linear(8, 64)"), ("nn.Linear(32, 4)", "nn.Linear(64, 4)")),
        (("cross_entropy(net(inputs), labels)", "cross_entropy(net(inputs), labels) * 0.1"),),
    ),
)
