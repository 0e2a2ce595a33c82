"""D01: inputs and labels are shuffled apart."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def mix(images, labels):
    images = images[torch.randperm(len(images))]
    labels = labels[torch.randperm(len(labels))]
    return images, labels
"""

TRIAL = """
import firstlight as fl
from torch import nn

train_set, test_set = fl.load("fashion_mnist_small")
inputs, labels = mix(train_set.inputs[:1000].flatten(1) / 255, train_set.labels[:1000])
net = nn.Linear(784, 10)
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
for step in range(200):
    rows = torch.randint(1000, (50,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
    optimizer.step()
print((net(test_set.inputs[:500].flatten(1) / 255).argmax(1) == test_set.labels[:500]).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Clothes at the harbour"),
        story=_("A harbour sorts clothes by their pictures. The loss hardly falls, and the accuracy stays near 10 %."),
        hints=(
            _("The training loop is short and fine. Look at what it is given."),
            _("Show a few pictures with their labels, before `mix` and after it."),
            _("Which picture has which label? Follow row 0 through `mix`."),
        ),
        causes=(
            (
                _("Pictures and labels no longer belong together."),
                _("Right. Each was put in an order of its own."),
            ),
            (
                _("The learning rate is too low."),
                _("A low rate learns slowly, but it learns. Here there is nothing to learn."),
            ),
            (
                _("Some rows are lost on the way."),
                _("All rows are still there. Count them."),
            ),
            (
                _("The pixels are not scaled."),
                _("They are divided by 255 before they come here."),
            ),
        ),
        after=_("One permutation has to serve both: draw it once, and index the pictures and the labels with it."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    rows = torch.arange(1000)
    images, labels = made.mix(rows.view(-1, 1, 1).float() * torch.ones(1, 2, 3), rows % 7)
    if len(images) != 1000 or grading.differs(images[:, 0, 0].sort().values, rows):
        yield _("Not every picture comes out just once.")
    elif grading.differs(images[:, 0, 0] % 7, labels):
        yield _("A label is not the label of its picture.")
    elif (images[:, 0, 0] == rows).float().mean() > 0.5:
        yield _("The rows are still in their old order.")


exercise = Exercise(
    subject="data",
    level=1,
    needs=("mix",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("    images = images[torch.randperm(len(images))]\n", "    order = torch.randperm(len(images))\n"),
            (
                "    labels = labels[torch.randperm(len(labels))]\n    return images, labels",
                "    return images[order], labels[order]",
            ),
        ),
        (
            ("    images =", "    torch.manual_seed(0)\n    images ="),
            ("    labels =", "    torch.manual_seed(0)\n    labels ="),
        ),
    ),
    cosmetic=(
        (("    images =", "    torch.manual_seed(0)\n    images ="),),
        (("    return images, labels", "    return images.clone(), labels.long()"),),
    ),
)
