"""M07: ReLU on the scores."""

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
        sizes = [8, 32, 32, 4]
        layers = []
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs):
        return self.layers(inputs)
"""

TRIAL = """
for seed in range(4):
    torch.manual_seed(seed)
    centres = 2 * torch.randn(4, 8)
    labels = torch.arange(600) % 4
    inputs = centres[labels] + torch.randn(600, 8)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
    print(seed, (net(inputs).argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Bottles in a cellar"),
        story=_(
            "A net sorts bottles into four kinds. With some seeds it learns them all, with others it never learns one of them."
        ),
        hints=(
            _("When a kind is never learned, look at its column of the scores."),
            _("Print the smallest score that the net gives."),
            _("Print `Net()`, and read its last lines."),
        ),
        causes=(
            (
                _("A score that should be below zero becomes zero, and then no gradient comes back."),
                _("Right. The last layer has a ReLU behind it."),
            ),
            (
                _("The net has one layer too few."),
                _("With a good seed the same net learns all kinds."),
            ),
            (
                _("One kind is rare in the data."),
                _("All four are equally frequent here."),
            ),
            (
                _("The seed must be chosen with care."),
                _("A sound net learns with nearly any seed."),
            ),
        ),
        after=_(
            "Activations stand between layers. The last layer gives its numbers as they are: scores may be negative."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    least = 0.0
    for seed in range(3):
        inputs, _labels = grading.clouds(seed, 100)
        with torch.no_grad():
            least = min(least, made.Net()(inputs).min().item())
    if least >= -1e-3:
        yield _("Whatever the input, no score is below {least:.1f}.", least=least)
        return
    found = []
    for seed in (1, 2, 3):
        inputs, labels = grading.clouds(seed, 600)
        net = made.Net()
        yield from grading.unmoved(net, inputs)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        grading.learned(net, optimizer, [(inputs[:400], labels[:400])] * 100)
        found.append(grading.accuracy(net, inputs[400:], labels[400:]))
    if made.Net()(torch.randn(3, 8)).shape != (3, 4):
        yield _("It does not give four scores for each row.")
    yield from grading.too_few(min(found), 0.9)


exercise = Exercise(
    subject="model",
    level=2,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("nn.Sequential(*layers)", "nn.Sequential(*layers[:-1])"),),
        (
            ("sizes = [8, 32, 32, 4]", "sizes = [8, 32, 32]"),
            ("nn.Sequential(*layers)", "nn.Sequential(*layers, nn.Linear(32, 4))"),
        ),
    ),
    cosmetic=(
        (("[8, 32, 32, 4]", "[8, 64, 64, 4]"),),
        (("nn.ReLU()", "nn.ReLU6()"),),
    ),
)
