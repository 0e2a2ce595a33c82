"""E02: evaluation in training mode."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def accuracy(net, inputs, labels, size=50):
    right = 0
    with torch.no_grad():
        for rows in torch.arange(len(inputs)).split(size):
            right += (net(inputs[rows]).argmax(dim=1) == labels[rows]).sum().item()
    return right / len(inputs)
"""

TRIAL = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 4))
inputs = torch.randn(500, 8)
labels = net.eval()(inputs).argmax(dim=1)
net.train()
for time in range(3):
    print(accuracy(net, inputs, labels))
"""


def words() -> Words:
    return Words(
        title=_("Marks at school"),
        story=_(
            "A net that is being trained gets marks now and then. It would deserve full marks in the cell below, but it gets fewer, and other ones each time."
        ),
        hints=(
            _("Nothing is learned between two marks, and still they differ."),
            _("What does each layer of the net do while it trains, and what while it is used?"),
            _("Print `net.training`, and the running mean of the batch normalization, before and after."),
        ),
        causes=(
            (
                _("The net is marked in the mode for training."),
                _("Right. Dropout leaves units out, and batch normalization looks at the batch, and even notes it."),
            ),
            (
                _("The batches are too small to be exact."),
                _("All rows are counted, whatever the size of the batches."),
            ),
            (
                _("Gradients are computed while it is marked."),
                _("`no_grad` stands there. And gradients alone change no answer."),
            ),
            (
                _("The labels are drawn anew each time."),
                _("They are made once, by the net itself."),
            ),
        ),
        after=_(
            "`net.eval()` before measuring, `net.train()` before training. `no_grad` is something else: it saves time and memory."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(31)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 4))
    net(torch.randn(100, 8))
    inputs = torch.randn(230, 8) + 1
    with torch.no_grad():
        labels = net.eval()(inputs).argmax(dim=1)
    labels[:23] = (labels[:23] + 1) % 4
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = []
    for _time in range(2):
        net.train()
        found.append(float(made.accuracy(net, inputs, labels)))
    if any(grading.differs(value, before[name]) for name, value in net.state_dict().items()):
        yield _("The net is not the same after it was measured.")
    elif max(abs(one - 0.9) for one in found) > 1e-6:
        yield _("A net with 90 % right gets {first:.1%} and then {second:.1%}.", first=found[0], second=found[1])


exercise = Exercise(
    subject="evaluation",
    level=1,
    needs=("accuracy",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("    right = 0\n", "    net.eval()\n    right = 0\n"),),
        (
            ("    right = 0\n", "    before = net.training\n    net.train(False)\n    right = 0\n"),
            ("    return", "    net.train(before)\n    return"),
        ),
    ),
    cosmetic=(
        (("size=50", "size=1000"),),
        (("    right = 0\n", "    torch.manual_seed(0)\n    right = 0\n"),),
        (("torch.no_grad()", "torch.inference_mode()"),),
    ),
)
