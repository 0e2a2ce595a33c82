"""M13: the graph is cut in the middle of the model."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.head = nn.Linear(32, 2)

    def forward(self, inputs):
        features = self.encoder(inputs)
        scale = features.norm(dim=1, keepdim=True)
        features = torch.tensor((features / scale).tolist())
        return self.head(features)
"""

TRIAL = """
torch.manual_seed(0)
net = Net()
before = {name: weight.clone() for name, weight in net.named_parameters()}
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(50, 2)), torch.randint(2, (50,))).backward()
    optimizer.step()
for name, weight in net.named_parameters():
    print(name, (weight - before[name]).abs().max().item())
"""


def words() -> Words:
    return Words(
        title=_("Light at the end of the tunnel"),
        story=_(
            "A net has an encoder and a head, and both should learn. It learns a little, but a deeper encoder does not help at all."
        ),
        hints=(
            _("Which parts learn? The cell below the code prints how far each weight has moved."),
            _("Print `grad_fn` of each tensor in `forward`, from the end to the beginning."),
            _("What remains of the graph when numbers become a Python list?"),
        ),
        causes=(
            (
                _("The way back from the loss ends in the middle."),
                _("Right. A tensor made of plain numbers knows nothing of where they come from."),
            ),
            (
                _("The encoder saturates: `tanh` is flat at its ends."),
                _("Then its gradients would be small. Here there are none."),
            ),
            (
                _("The learning rate is too low for the encoder."),
                _("All weights share one rate, and some do not move at all."),
            ),
            (
                _("The norm can become zero."),
                _("That would give `nan`, and the loss would show it."),
            ),
        ),
        after=_(
            "Stay with tensors from the input to the loss. `tolist`, `numpy`, `item` and `detach` all cut the graph."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(11)
    net = made.Net()
    inputs, labels = grading.rings(11, 600)
    wrong = list(grading.unmoved(net, inputs))
    if wrong:
        yield from wrong
        return
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    grading.learned(net, optimizer, [(inputs[:400], labels[:400])] * 120)
    yield from grading.too_few(grading.accuracy(net, inputs[400:], labels[400:]), 0.95)


exercise = Exercise(
    subject="model",
    level=1,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("torch.tensor((features / scale).tolist())", "features / scale"),),
        (
            ("        scale = features.norm(dim=1, keepdim=True)\n", ""),
            ("torch.tensor((features / scale).tolist())", "nn.functional.normalize(features)"),
        ),
    ),
    cosmetic=(
        (
            (
                "torch.tensor((features / scale).tolist())",
                "torch.tensor((features / scale).tolist(), requires_grad=True)",
            ),
        ),
        (("torch.tensor((features / scale).tolist())", "(features / scale).detach()"),),
    ),
)
