"""L07: the loss is made anew from numbers."""

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
    history = []
    for inputs, labels in batches:
        optimizer.zero_grad()
        scores = net(inputs)
        parts = [nn.functional.cross_entropy(one[None], two[None]).item() for one, two in zip(scores, labels)]
        loss = torch.tensor(parts, requires_grad=True).mean()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(200) % 4
batches = list(zip((centres[labels] + torch.randn(200, 8)).split(20), labels.split(20)))
net = nn.Linear(8, 4)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(3):
    print(learn(net, optimizer, batches)[-3:])
"""


def words() -> Words:
    return Words(
        title=_("News from the printer"),
        story=_(
            "For a report, the loss of each row is computed by itself. Since then the net does not learn any more, and no error appears."
        ),
        hints=(
            _("`backward` runs without an error. So whose gradients does it compute?"),
            _("Print `net.weight.grad` after `backward`."),
            _("Follow the way back from `loss`. Where does it end?"),
        ),
        causes=(
            (
                _("The loss has no connection with the net."),
                _("Right. It is made of plain numbers, and `requires_grad=True` only makes it a new beginning."),
            ),
            (
                _("The mean is taken of too few rows."),
                _("The mean of the rows is what `cross_entropy` gives as well."),
            ),
            (
                _("Rows must not be handled one by one."),
                _("It is slow, but it can be right."),
            ),
            (
                _("The optimizer was made for another net."),
                _("It holds the weights of this very net."),
            ),
        ),
        after=_("Keep the tensors, and join them with `torch.stack(parts).mean()`. Take `item()` only for the report."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    start, wanted, net = (grading.small_net(29) for _one in range(3))
    batches = grading.batches_of(29)
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
        (("two[None]).item()", "two[None])"), ("torch.tensor(parts, requires_grad=True)", "torch.stack(parts)")),
        (("torch.tensor(parts, requires_grad=True).mean()", "nn.functional.cross_entropy(scores, labels)"),),
    ),
    cosmetic=(
        (("requires_grad=True).mean()", "requires_grad=True).sum()"),),
        (("        loss.backward()", "        loss.requires_grad_().retain_grad()\n        loss.backward()"),),
    ),
)
