"""L02: gradients are cleared before they are used."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def learn(net, optimizer, batches):
    net.train()
    total = 0.0
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(net(inputs), labels)
        loss.backward()
        total += loss.item()
        optimizer.zero_grad()
        optimizer.step()
    return total / len(batches)
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
batches = list(zip((centres[labels] + torch.randn(600, 8)).split(20), labels.split(20)))
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(4):
    print(epoch, learn(net, optimizer, batches))
"""


def words() -> Words:
    return Words(
        title=_("A quiet chapel"),
        story=_("The loss is the same in each epoch, to the last digit. All the usual lines seem to be there."),
        hints=(
            _("To the last digit: what does that say about the weights?"),
            _("Go through one step line by line. What has each line changed?"),
            _("Print a gradient just before `optimizer.step()`."),
        ),
        causes=(
            (
                _("When the step is made, there are no gradients any more."),
                _("Right. They are computed, thrown away, and then the step has nothing to use."),
            ),
            (
                _("The learning rate is too low."),
                _("Even a tiny step changes the last digits."),
            ),
            (
                _("The optimizer has the weights of another net."),
                _("It was made from this net. Look at the cell below the code."),
            ),
            (
                _("The net is in eval mode."),
                _("Weights move in eval mode too, and `net.train()` is the first line."),
            ),
        ),
        after=_(
            "The order is: clear, forward, backward, step. Clearing may also come after the step, but never between the backward pass and the step."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    start, wanted, net = (grading.small_net(22) for _one in range(3))
    batches = grading.batches_of(22)
    grading.learned(wanted, torch.optim.SGD(wanted.parameters(), lr=0.1), batches)
    made.learn(net, torch.optim.SGD(net.parameters(), lr=0.1), batches)
    yield from grading.not_as_learned(net, start, wanted)


exercise = Exercise(
    subject="loop",
    level=1,
    needs=("learn",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("        optimizer.zero_grad()\n", ""),
            ("        loss =", "        optimizer.zero_grad()\n        loss ="),
        ),
        (
            (
                "        optimizer.zero_grad()\n        optimizer.step()\n",
                "        optimizer.step()\n        optimizer.zero_grad()\n",
            ),
        ),
    ),
    cosmetic=(
        (("        optimizer.zero_grad()\n", ""),),
        (("optimizer.zero_grad()", "optimizer.zero_grad(set_to_none=False)"),),
    ),
)
