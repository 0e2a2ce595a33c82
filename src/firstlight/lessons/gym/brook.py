"""L01: gradients are never cleared."""

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
        optimizer.step()
        total += loss.item()
    return total / len(batches)
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
batches = list(zip((centres[labels] + torch.randn(600, 8)).split(20), labels.split(20)))
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
for epoch in range(8):
    print(epoch, learn(net, optimizer, batches))
"""


def words() -> Words:
    return Words(
        title=_("A brook becomes wild"),
        story=_(
            "The loss goes up and down, and with each epoch more wildly. A lower learning rate delays it, but does not end it."
        ),
        hints=(
            _("It behaves as with a far too high learning rate, and ever more so. What grows?"),
            _("Print the size of one gradient after each step."),
            _("What does `backward` do with a gradient that is there already?"),
        ),
        causes=(
            (
                _("Each step also uses the gradients of all steps before it."),
                _("Right. `backward` adds to what is in `.grad`, and nothing empties it."),
            ),
            (
                _("The learning rate is too high."),
                _("It looks so. But a lower one only delays the trouble."),
            ),
            (
                _("The batches are too small."),
                _("Small batches make the loss rough. They do not make it wilder with time."),
            ),
            (
                _("The loss is added up with its graph."),
                _("`item()` gives a plain number."),
            ),
        ),
        after=_("`optimizer.zero_grad()` belongs into each step, before `backward`."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    start, wanted, net = (grading.small_net(21) for _one in range(3))
    batches = grading.batches_of(21)
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
        (("        loss =", "        optimizer.zero_grad()\n        loss ="),),
        (("        optimizer.step()\n", "        optimizer.step()\n        net.zero_grad()\n"),),
        (
            (
                "        loss.backward()\n",
                "        for weight in net.parameters():\n            weight.grad = None\n        loss.backward()\n",
            ),
        ),
    ),
    cosmetic=(
        (("    total = 0.0", "    optimizer.zero_grad()\n    total = 0.0"),),
        (("loss.backward()", "(0.1 * loss).backward()"),),
        (
            (
                "        optimizer.step()",
                "        nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n        optimizer.step()",
            ),
        ),
    ),
)
