"""L11: after the first evaluation the net stays in eval mode."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def accuracy(net, inputs, labels):
    net.eval()
    with torch.no_grad():
        return (net(inputs).argmax(dim=1) == labels).float().mean().item()


def fit(net, optimizer, batches, valid, epochs):
    net.train()
    history = []
    for epoch in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
        history.append(accuracy(net, *valid))
    return history
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
inputs = centres[labels] + torch.randn(600, 8)
net = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
batches = list(zip(inputs[:400].split(20), labels[:400].split(20)))
print(fit(net, optimizer, batches, (inputs[400:], labels[400:]), 6))
print(net[1].num_batches_tracked.item(), 6 * len(batches))
"""


def words() -> Words:
    return Words(
        title=_("After the break in the theatre"),
        story=_(
            "A net has dropout so that it does not learn by heart. In the first epoch it works, and from then on the training loss falls much faster, while the accuracy on new rows gets worse."
        ),
        hints=(
            _("What is different from the second epoch on?"),
            _("Print `net.training` at the beginning of each epoch."),
            _("What does `accuracy` leave behind when it returns?"),
        ),
        causes=(
            (
                _("From the second epoch on, the net trains in eval mode."),
                _("Right. `accuracy` switches the mode, and nobody switches it back."),
            ),
            (
                _("The accuracy is measured too often."),
                _("Measuring alone changes no weight."),
            ),
            (
                _("Dropout of 0.5 is too much."),
                _("It may be. But then the first epoch would suffer as well."),
            ),
            (
                _("The optimizer must be made anew in each epoch."),
                _("No, it would forget what it has gathered."),
            ),
        ),
        after=_(
            "Call `net.train()` at the beginning of each epoch. A function that measures may also restore the mode that it found."
        ),
    )


class _Witness(torch.nn.Module):
    """Notes in which mode it is called, and whether anything is learned from the call."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(8, 4)
        self.learning: list[bool] = []
        self.looking: list[bool] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(inputs)
        if len(inputs) == 30:
            self.looking.append(self.training)
        else:
            self.learning.append(self.training)
        return found


def judge(made: SimpleNamespace) -> Iterator[str]:
    net = _Witness()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    history = made.fit(net, optimizer, grading.batches_of(24), grading.clouds(24, 30), 4)
    if len(net.learning) != 24 or len(history) != 4 or not net.looking:
        yield _("It should learn from each batch in each epoch and measure after each epoch, and does not.")
    elif not all(net.learning):
        count = net.learning.count(False)
        yield _("{count} of {all} training batches were not learned in training mode.", count=count, all=24)
    elif any(net.looking):
        yield _("It measures in training mode.")


exercise = Exercise(
    subject="loop",
    level=1,
    needs=("fit",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("    net.train()\n    history", "    history"),
            ("    for epoch in range(epochs):\n", "    for epoch in range(epochs):\n        net.train()\n"),
        ),
        (
            (
                "        history.append(accuracy(net, *valid))\n",
                "        history.append(accuracy(net, *valid))\n        net.train()\n",
            ),
        ),
    ),
    cosmetic=(
        (("    net.eval()\n", ""),),
        (("    return history", "    net.train()\n    return history"),),
    ),
)
