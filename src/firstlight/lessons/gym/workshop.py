"""L23: backward and step stand outside the loop over batches."""

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
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs), labels)
        total += loss.item()
    loss.backward()
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
        title=_("In the workshop"),
        story=_("A net learns, but an epoch brings hardly anything. More data do not help, they only take longer."),
        hints=(
            _("How many times do the weights move in one epoch?"),
            _("Count the calls of `optimizer.step()`."),
            _("Which lines are repeated for each batch? In Python the indent decides."),
        ),
        causes=(
            (
                _("Only the last batch of an epoch is learned from."),
                _("Right. The lines that learn come after the loop over the batches."),
            ),
            (
                _("The learning rate is too low."),
                _("A higher one hides it, for a while."),
            ),
            (
                _("The loss is a mean of all batches."),
                _("That mean is only reported."),
            ),
            (
                _("Gradients are cleared too often."),
                _("Once for each batch is right."),
            ),
        ),
        after=_("`backward` and `step` belong into the loop, for each batch once."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    start, wanted, net = (grading.small_net(27) for _one in range(3))
    batches = grading.batches_of(27)
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
        (("    loss.backward()\n    optimizer.step()\n", "        loss.backward()\n        optimizer.step()\n"),),
        (
            (
                "        total += loss.item()\n",
                "        total += loss.item()\n        loss.backward()\n        optimizer.step()\n",
            ),
            ("    loss.backward()\n    optimizer.step()\n    return", "    return"),
        ),
    ),
    cosmetic=(
        (("    loss.backward()\n", "    (len(batches) * loss).backward()\n"),),
        (
            (
                "        total += loss.item()\n",
                "        total += loss.item()\n        loss.backward(retain_graph=True)\n",
            ),
        ),
    ),
)
