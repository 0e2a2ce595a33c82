"""M16: all weights begin with the same value."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def build():
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    for weight in net.parameters():
        nn.init.constant_(weight, 0.1)
    return net
"""

TRIAL = """
torch.manual_seed(0)
labels = torch.arange(400) % 2
angle = 6.2832 * torch.rand(400)
inputs = (0.6 + labels)[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
net = build()
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
for step in range(150):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(inputs), labels).backward()
    optimizer.step()
print((net(inputs).argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Stones of a quarry"),
        story=_(
            "To make results repeatable, every net starts in the same way. A net with 32 hidden units then learns no more than one with a single unit."
        ),
        hints=(
            _("Look at the weights of the first layer after training."),
            _("Compare the rows of `net[0].weight`."),
            _("Two units with equal weights: in what could their gradients differ?"),
        ),
        causes=(
            (
                _("All hidden units stay equal for ever."),
                _("Right. Equal at the start, they get equal gradients in each step."),
            ),
            (
                _("`tanh` is the wrong activation."),
                _("With random weights the same net learns the task."),
            ),
            (
                _("The starting values are too small."),
                _("Larger ones that are all equal do no better."),
            ),
            (
                _("The output layer should have one unit."),
                _("Two scores for two classes are fine."),
            ),
        ),
        after=_("Random weights make units different. For repeatable results, use a seed: `torch.manual_seed(0)`."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    found = []
    for seed in (17, 18):
        torch.manual_seed(seed)
        net = made.build()
        inputs, labels = grading.rings(seed, 600)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        grading.learned(net, optimizer, [(inputs[:400], labels[:400])] * 150)
        found.append(grading.accuracy(net, inputs[400:], labels[400:]))
    yield from grading.too_few(min(found), 0.95)


exercise = Exercise(
    subject="model",
    level=2,
    needs=("build",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("    for weight in net.parameters():\n        nn.init.constant_(weight, 0.1)\n", ""),),
        (("nn.init.constant_(weight, 0.1)", "nn.init.normal_(weight, std=0.5)"),),
        (
            ("    net =", "    torch.manual_seed(0)\n    net ="),
            ("nn.init.constant_(weight, 0.1)", "nn.init.xavier_uniform_(weight) if weight.dim() > 1 else None"),
        ),
    ),
    cosmetic=(
        (("0.1)", "0.5)"),),
        (("    for weight", "    torch.manual_seed(0)\n    for weight"),),
    ),
)
