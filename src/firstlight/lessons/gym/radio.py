"""E04: the metric is that of the last batch."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def accuracy(net, batches):
    net.eval()
    with torch.no_grad():
        for inputs, labels in batches:
            right = (net(inputs).argmax(dim=1) == labels).sum().item()
            seen = len(labels)
    return right / seen
"""

TRIAL = """
scores = torch.eye(4)[torch.arange(103) % 4]
labels = torch.arange(103) % 4
labels[:50] = 0
batches = list(zip(scores.split(20), labels.split(20)))
print(accuracy(torch.nn.Identity(), batches))
print((scores.argmax(1) == labels).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Guesses on the radio"),
        story=_(
            "Accuracy is measured on 103 rows, in batches. It is one of a few values only, and it jumps from day to day."
        ),
        hints=(
            _("The two numbers of the cell below the code should be equal."),
            _("Which values can it take? Multiply it by 3."),
            _("How often is `right` set, and which of these values is used at the end?"),
        ),
        causes=(
            (
                _("Only the last batch counts."),
                _("Right. Each batch overwrites what the one before has found."),
            ),
            (
                _("The last batch is smaller than the others."),
                _("That alone does no harm, where all rows are counted."),
            ),
            (
                _("The largest score is looked for in the wrong direction."),
                _("`dim=1` is right: the scores of one row."),
            ),
            (
                _("103 rows are too few."),
                _("They make it rough, but not one of a few values."),
            ),
        ),
        after=_("Begin with zero and add up, with `+=`: right answers and rows. Divide once, at the end."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    net = torch.nn.Identity()
    for sizes in ([30, 30, 7], [10, 1], [8]):
        scores, labels = grading.clouds(32 + sum(sizes), sum(sizes), features=4)
        right = float((scores.argmax(dim=1) == labels).double().mean())
        found = float(made.accuracy(net, list(zip(scores.split(sizes), labels.split(sizes), strict=True))))
        if abs(found - right) > 1e-5:
            yield _(
                "For batches of {sizes} rows, it says {found:.1%}. It should be {right:.1%}.",
                sizes=sizes,
                found=found,
                right=right,
            )
            return


exercise = Exercise(
    subject="evaluation",
    level=1,
    needs=("accuracy",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("    net.eval()\n", "    net.eval()\n    right = seen = 0\n"),
            ("right = (", "right += ("),
            ("seen = len(labels)", "seen += len(labels)"),
        ),
        (
            ("    net.eval()\n", "    net.eval()\n    found = []\n"),
            (
                "right = (net(inputs).argmax(dim=1) == labels).sum().item()",
                "found.append(net(inputs).argmax(dim=1) == labels)",
            ),
            ("            seen = len(labels)\n", ""),
            ("right / seen", "torch.cat(found).float().mean().item()"),
        ),
    ),
    cosmetic=(
        (
            ("    net.eval()\n", "    net.eval()\n    right = seen = 0\n"),
            ("right = (", "right += ("),
            ("seen = len(labels)", "seen = len(labels) * len(batches)"),
        ),
        (("right / seen", "min(1.0, right / max(1, seen))"),),
    ),
)
