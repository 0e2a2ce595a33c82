"""L20: gradients are clipped before they are there."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def learn(net, optimizer, batches, limit):
    net.train()
    for inputs, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs), labels)
        nn.utils.clip_grad_norm_(net.parameters(), limit)
        loss.backward()
        optimizer.step()
"""

TRIAL = """
torch.manual_seed(0)
net = nn.Linear(8, 4)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(20):
    before = net.weight.clone()
    inputs = torch.randn(20, 8) * (1000 if step % 8 == 7 else 1)
    learn(net, optimizer, [(inputs, torch.randint(4, (20,)))], limit=1.0)
    print(step, (net.weight - before).norm().item())
"""


def words() -> Words:
    return Words(
        title=_("A railway over a gorge"),
        story=_(
            "Now and then a sensor gives values that are far too large. A limit for the gradients is set, and yet such a batch throws the net off its rails."
        ),
        hints=(
            _("With a limit of 1 and a rate of 0.1, how far can one step go? The cell below the code measures it."),
            _("Which norm does `clip_grad_norm_` return?"),
            _("What is in `.grad` at the moment when it is called?"),
        ),
        causes=(
            (
                _("The limit is applied when there are no gradients yet."),
                _("Right. They are made by `backward`, and that comes later."),
            ),
            (
                _("The limit is too high."),
                _("Even a tiny limit has no effect here. Try it."),
            ),
            (
                _("The loss should be limited, not the gradients."),
                _("A cut loss has no gradient where it is cut."),
            ),
            (
                _("The rate must be divided by the limit."),
                _("They are independent of each other."),
            ),
        ),
        after=_("Clip between `backward` and `step`: after the gradients are made, and before they are used."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    start, wanted, net = (grading.small_net(26) for _one in range(3))
    batches = [(50 * inputs, labels) for inputs, labels in grading.batches_of(26)]
    grading.learned(wanted, torch.optim.SGD(wanted.parameters(), lr=0.1), batches, limit=0.2)
    made.learn(net, torch.optim.SGD(net.parameters(), lr=0.1), batches, 0.2)
    yield from grading.not_as_learned(net, start, wanted)


exercise = Exercise(
    subject="loop",
    level=2,
    needs=("learn",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("        nn.utils.clip_grad_norm_(net.parameters(), limit)\n", ""),
            (
                "        loss.backward()\n",
                "        loss.backward()\n        nn.utils.clip_grad_norm_(net.parameters(), limit)\n",
            ),
        ),
        (
            ("        nn.utils.clip_grad_norm_(net.parameters(), limit)\n", ""),
            (
                "        loss.backward()\n",
                "        loss.backward()\n        norm = sum(w.grad.square().sum() for w in net.parameters()).sqrt()\n"
                "        for w in net.parameters():\n            w.grad *= (limit / (norm + 1e-6)).clamp(max=1)\n",
            ),
        ),
    ),
    cosmetic=(
        (("net.parameters(), limit)", "net.parameters(), limit / 100)"),),
        (("        loss.backward()", "        (limit * loss).backward()"),),
    ),
)
