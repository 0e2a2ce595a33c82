"""L26: the best state is not a copy."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def accuracy(net, inputs, labels):
    with torch.no_grad():
        return (net(inputs).argmax(dim=1) == labels).float().mean().item()


def fit(net, optimizer, batches, valid):
    best, state = -1.0, None
    for inputs, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
        found = accuracy(net, *valid)
        if found > best:
            best, state = found, net.state_dict()
    net.load_state_dict(state)
    return best
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
inputs = centres[labels] + torch.randn(600, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=2.0)
valid = inputs[400:], labels[400:]
print(fit(net, optimizer, list(zip(inputs[:400].split(10), labels[:400].split(10))), valid))
print(accuracy(net, *valid))
"""


def words() -> Words:
    return Words(
        title=_("The best picture of the studio"),
        story=_(
            "While a net is trained, the best state is kept, and it is put back at the end. The best accuracy is reported, but the net that comes out is worse."
        ),
        hints=(
            _("Two numbers should be equal: see the cell below the code."),
            _("Print one weight of `state` each time it is set, and once at the end."),
            _("When the net moves on, what happens to the tensors in `state`?"),
        ),
        causes=(
            (
                _("What was kept goes on changing with the net."),
                _("Right. `state_dict` gives the net's own tensors, not copies."),
            ),
            (
                _("The accuracy is measured in the wrong mode."),
                _("This net is the same in both modes."),
            ),
            (
                _("`load_state_dict` leaves out some weights."),
                _("It would complain about each that is missing."),
            ),
            (
                _("The comparison should be the other way round."),
                _("A larger accuracy is a better one."),
            ),
        ),
        after=_("Keep a copy: `copy.deepcopy(net.state_dict())`, or save it into a file."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    net = grading.small_net(28)
    inputs, labels = grading.clouds(28, 1000)
    order = list(zip(inputs[:800].split(20), labels[:800].split(20), strict=True))
    batches = order[:20] + [(rows, (classes + 1) % 4) for rows, classes in order[20:]]
    valid = inputs[800:], labels[800:]
    best = made.fit(net, torch.optim.SGD(net.parameters(), lr=0.5), batches, valid)
    found = grading.accuracy(net, *valid)
    if abs(found - best) > 1e-4:
        yield _(
            "It reports {best:.0%} as the best, but the net that comes out has {found:.0%}.", best=best, found=found
        )
    yield from grading.too_few(found, 0.8)


exercise = Exercise(
    subject="loop",
    level=3,
    needs=("fit",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("import torch\n", "import copy\n\nimport torch\n"),
            ("net.state_dict()\n", "copy.deepcopy(net.state_dict())\n"),
        ),
        (("found, net.state_dict()", "found, {name: value.clone() for name, value in net.state_dict().items()}"),),
    ),
    cosmetic=(
        (("found, net.state_dict()", "found, dict(net.state_dict())"),),
        (("    return best", "    return accuracy(net, *valid)"),),
    ),
)
