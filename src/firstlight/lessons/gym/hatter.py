"""L05: the optimizer is made before the last layer is exchanged."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def build(classes):
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 100))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    net[2] = nn.Linear(32, classes)
    return net, optimizer
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(400) % 4
inputs = centres[labels] + torch.randn(400, 8)
net, optimizer = build(4)
before = [weight.clone() for weight in net.parameters()]
for step in range(50):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(inputs), labels)
    loss.backward()
    optimizer.step()
print(loss.item(), [(one - two).abs().max().item() for one, two in zip(net.parameters(), before)])
"""


def words() -> Words:
    return Words(
        title=_("At the hatter's"),
        story=_(
            "A net for 100 classes gets a new last layer for four kinds of hats. It learns, but worse than a net that was made for four classes."
        ),
        hints=(
            _("Does every part of the net learn? The cell below the code prints how far each weight moved."),
            _("Whose weights does the optimizer hold? Look into `optimizer.param_groups`."),
            _("In which order are net, optimizer and last layer made?"),
        ),
        causes=(
            (
                _("The optimizer does not have the new layer."),
                _("Right. It got the weights that the net had when the optimizer was made."),
            ),
            (
                _("The new layer begins with random weights."),
                _("So does every layer that is to be trained."),
            ),
            (
                _("The other layers should be frozen."),
                _("One can do so with pretrained layers. Here they must learn too."),
            ),
            (
                _("Adam cannot train only a part of a net."),
                _("It trains whatever it is given."),
            ),
        ),
        after=_("First build the whole net, then make the optimizer."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(23)
    for classes in (3, 5):
        net, optimizer = made.build(classes)
        inputs, labels = grading.clouds(23, 100, classes=classes)
        if net(inputs).shape != (100, classes):
            yield _("It does not give one score for each class.")
            return
        before = [weight.detach().clone() for weight in net.parameters()]
        grading.learned(net, optimizer, [(inputs, labels)] * 3)
        still = sum(torch.equal(one, two) for one, two in zip(net.parameters(), before, strict=True))
        if still:
            yield _("{count} tensors of weights do not move in training.", count=still)
            return


exercise = Exercise(
    subject="loop",
    level=1,
    needs=("build",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            (
                "    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)\n    net[2] = nn.Linear(32, classes)\n",
                "    net[2] = nn.Linear(32, classes)\n    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)\n",
            ),
        ),
        (("    return net", '    optimizer.add_param_group({"params": net[2].parameters()})\n    return net'),),
        (("nn.Linear(32, 100))", "nn.Linear(32, classes))"), ("    net[2] = nn.Linear(32, classes)\n", "")),
    ),
    cosmetic=(
        (("lr=0.01", "lr=0.1"),),
        (("    return net", "    net.requires_grad_(True)\n    return net"),),
    ),
)
