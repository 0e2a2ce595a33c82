"""M09: no activation between the layers."""

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
        self.first = nn.Linear(2, 64)
        self.second = nn.Linear(64, 64)
        self.third = nn.Linear(64, 2)

    def forward(self, inputs):
        return self.third(self.second(self.first(inputs)))
"""

TRIAL = """
torch.manual_seed(0)
labels = torch.arange(400) % 2
angle = 6.2832 * torch.rand(400)
inputs = (0.6 + labels)[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(150):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(inputs), labels).backward()
    optimizer.step()
print((net(inputs).argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Rings on a pond"),
        story=_(
            "A stone falls into a pond, and a net shall tell points near it from points far from it. Three layers with over 4,000 weights do no better than guessing."
        ),
        hints=(
            _("More weights and more layers change nothing. Try it."),
            _("Draw which points the net calls near. What shape has the border?"),
            _("What is the product of three matrices?"),
        ),
        causes=(
            (
                _("The three layers together are no more than one."),
                _("Right. Without a bend between them, they can only draw a straight line."),
            ),
            (
                _("The inputs have too few columns."),
                _("Two columns hold all that is needed: the distance follows from them."),
            ),
            (
                _("Points on a ring cannot be learned."),
                _("A small net learns them in a second, if it may bend its border."),
            ),
            (
                _("The loss is the wrong one for two classes."),
                _("`cross_entropy` is for two classes too."),
            ),
        ),
        after=_("Put an activation, such as ReLU, between the layers. It is what makes depth worth anything."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(12)
    net = made.Net()
    inputs, labels = grading.rings(12, 600)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    grading.learned(net, optimizer, [(inputs[:400], labels[:400])] * 150)
    yield from grading.too_few(grading.accuracy(net, inputs[400:], labels[400:]), 0.95)


exercise = Exercise(
    subject="model",
    level=1,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("self.third(self.second(self.first(inputs)))", "self.third(self.second(self.first(inputs).relu()).relu())"),),
        (("self.second(self.first(inputs))", "torch.tanh(self.second(self.first(inputs)))"),),
        (("self.first(inputs)", "self.first(inputs).square()"),),
    ),
    cosmetic=(
        (("(2, 64)", "(2, 256)"), ("nn.Linear(64, 64)", "nn.Linear(256, 64)")),
        (("self.third(self.second(self.first(inputs)))", "self.third(self.second(self.first(inputs))).relu()"),),
    ),
)
