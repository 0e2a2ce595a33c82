"""D15: the scale is taken from the test rows too."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def prepare(train, test):
    everything = torch.cat([train, test])
    mean, std = everything.mean(dim=0), everything.std(dim=0)
    return (train - mean) / std, (test - mean) / std
"""

TRIAL = """
torch.manual_seed(0)
train, test = prepare(torch.randn(300, 3) * 5 + 10, torch.randn(100, 3) * 5 + 14)
print(train.mean(dim=0), test.mean(dim=0))
"""


def words() -> Words:
    return Words(
        title=_("Prices at the market"),
        story=_(
            "Prices are brought to a common scale before a net learns from them. A colleague says that the test result cannot be trusted, and she is right."
        ),
        hints=(
            _("Nothing looks wrong in the numbers. Ask what training may know, and what not."),
            _("Change one test row. Which results change?"),
            _("From which rows are `mean` and `std` taken?"),
        ),
        causes=(
            (
                _("What training gets depends on the test rows."),
                _("Right. A test must be like data that come only later."),
            ),
            (
                _("The test rows should have a mean and std of their own."),
                _("Then the same price would mean different things in the two splits."),
            ),
            (
                _("Prices must not be negative."),
                _("After scaling they may be. A net does not mind."),
            ),
            (
                _("std may not be used to scale."),
                _("It is the usual way to scale columns."),
            ),
        ),
        after=_("Take mean and std from the training rows alone, and use these same two for the test."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(7)
    train, test = torch.randn(200, 3) * 4 + 20, torch.randn(50, 3) * 9 + 60
    first, second = made.prepare(train.clone(), torch.cat([test, train[:5]]))
    again, _rest = made.prepare(train.clone(), test[:10] * 3)
    if grading.differs(first, again):
        yield _("The prepared training rows change when the test rows change.")
    elif first.mean(dim=0).abs().max() > 0.1 or (first.std(dim=0) - 1).abs().max() > 0.1:
        yield _("The columns of the training rows do not have mean 0 and std 1.")
    elif grading.differs(second[-5:], first[:5]):
        yield _("The same price does not come out the same in both splits.")


exercise = Exercise(
    subject="data",
    level=3,
    needs=("prepare",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("everything = torch.cat([train, test])", "everything = train"),),
        (
            (
                "    everything = torch.cat([train, test])\n    mean, std = everything.mean(dim=0), everything.std(dim=0)\n",
                "    mean = train.mean(0, keepdim=True)\n    std = train.std(0, unbiased=False, keepdim=True) + 1e-6\n",
            ),
        ),
    ),
    cosmetic=(
        (("torch.cat([train, test])", "torch.cat([test, train])"),),
        (("(test - mean) / std", "(test - test.mean(dim=0)) / test.std(dim=0)"), ("torch.cat([train, test])", "train")),
    ),
)
