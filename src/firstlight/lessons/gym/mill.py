"""L06: the optimizer holds the weights of another net."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import copy

import torch
from torch import nn


def compare(net, batches, rates):
    results = {}
    optimizers = {rate: torch.optim.SGD(net.parameters(), lr=rate) for rate in rates}
    for rate, optimizer in optimizers.items():
        candidate = copy.deepcopy(net)
        for inputs, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(candidate(inputs), labels)
            loss.backward()
            optimizer.step()
        results[rate] = candidate
    return results
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
inputs = centres[labels] + torch.randn(600, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
found = compare(net, list(zip(inputs.split(20), labels.split(20))), [0.01, 0.1, 1.0])
for rate, candidate in found.items():
    print(rate, (candidate(inputs).argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Three wheels of a mill"),
        story=_(
            "Three learning rates are compared, each on a copy of the same net. All three come out the same, to the last digit."
        ),
        hints=(
            _("The same to the last digit: have the copies learned at all?"),
            _("After `backward`, who has gradients: `net` or `candidate`?"),
            _("Compare `id(weight)` of the weights in the optimizer with those of `candidate`."),
        ),
        causes=(
            (
                _("The optimizers move the weights of a net that is not trained."),
                _("Right. They hold the original's weights, and a deep copy has weights of its own."),
            ),
            (
                _("The rates are too much alike."),
                _("They differ a hundredfold."),
            ),
            (
                _("A copy of a net cannot be trained."),
                _("It can, like any other net."),
            ),
            (
                _("The batches are used up by the first rate."),
                _("A list can be read as often as you like."),
            ),
        ),
        after=_("Make the optimizer after the copy, from the copy's parameters."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    net, batches = grading.small_net(30), grading.batches_of(30)
    kept = [weight.detach().clone() for weight in net.parameters()]
    found = made.compare(net, batches, [0.03, 0.3])
    for rate in (0.03, 0.3):
        wanted = grading.small_net(30)
        grading.learned(wanted, torch.optim.SGD(wanted.parameters(), lr=rate), batches)
        wrong = list(grading.not_as_learned(found[rate], grading.small_net(30), wanted))
        if wrong:
            yield from wrong
            return
    if any(grading.differs(one, two) for one, two in zip(net.parameters(), kept, strict=True)):
        yield _("The net that was handed over has changed.")


exercise = Exercise(
    subject="loop",
    level=3,
    needs=("compare",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("    optimizers = {rate: torch.optim.SGD(net.parameters(), lr=rate) for rate in rates}\n", ""),
            ("for rate, optimizer in optimizers.items():", "for rate in rates:"),
            (
                "copy.deepcopy(net)\n",
                "copy.deepcopy(net)\n        optimizer = torch.optim.SGD(candidate.parameters(), lr=rate)\n",
            ),
        ),
        (
            (
                "        for inputs, labels in batches:",
                '        optimizer.param_groups[0]["params"] = list(candidate.parameters())\n        for inputs, labels in batches:',
            ),
        ),
    ),
    cosmetic=(
        (("candidate = copy.deepcopy(net)", "candidate = net"),),
        (
            (
                "            optimizer.zero_grad()\n",
                "            optimizer.zero_grad()\n            candidate.zero_grad()\n",
            ),
        ),
    ),
)
