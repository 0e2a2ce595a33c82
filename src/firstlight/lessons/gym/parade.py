"""D12: sorted rows are learned in their order."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def train(inputs, labels):
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for epoch in range(3):
        for rows in torch.arange(len(inputs)).split(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return net
"""

TRIAL = """
torch.manual_seed(0)
centres = 2 * torch.randn(4, 8)
labels = torch.arange(4).repeat_interleave(400)
net = train(centres[labels] + 2.5 * torch.randn(1600, 8), labels)
print((net(centres[labels] + 2.5 * torch.randn(1600, 8)).argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("A parade of four clubs"),
        story=_(
            "Four clubs walk past, one club after the other, and a net learns to tell them apart. In training the loss is small for long, then jumps, and in the end the net knows one club well."
        ),
        hints=(
            _("Draw the loss of each step. It is no smooth curve: where does it jump?"),
            _("Print the labels of some batches."),
            _("How do the batches come about, and what is in the first one?"),
        ),
        causes=(
            (
                _("Each batch holds one class, and the last one is remembered best."),
                _("Right. The rows are sorted, and batches are cut in that order."),
            ),
            (
                _("There are too few epochs."),
                _("More epochs only repeat the same jumps."),
            ),
            (
                _("The net is too small for four classes."),
                _("The same net learns them well when it may see them mixed."),
            ),
            (
                _("Gradients of older batches are still there."),
                _("`zero_grad` stands in its place."),
            ),
        ),
        after=_(
            "Draw a new random order in each epoch: `torch.randperm(len(inputs)).split(20)`, or `shuffle=True` in a `DataLoader`."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    found = []
    for seed in (1, 2, 3):
        inputs, labels = grading.clouds(seed, 1500, spread=2.5)
        order = labels[:1000].argsort()
        net = made.train(inputs[:1000][order], labels[:1000][order])
        found.append(grading.accuracy(net, inputs[1000:], labels[1000:]))
    yield from grading.too_few(sum(found) / 3, 0.71)


exercise = Exercise(
    subject="data",
    level=1,
    needs=("train",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("torch.arange(len(inputs))", "torch.randperm(len(inputs))"),),
        (
            (
                "    for epoch in range(3):",
                "    order = torch.randperm(len(inputs))\n    inputs, labels = inputs[order], labels[order]\n    for epoch in range(3):",
            ),
        ),
    ),
    cosmetic=(
        (("range(3)", "range(4)"),),
        (("torch.arange(len(inputs))", "torch.arange(len(inputs)).flip(0)"),),
    ),
)
