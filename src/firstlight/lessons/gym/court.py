"""E10: the test split chooses the model."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def accuracy(net, inputs, labels):
    net.eval()
    with torch.no_grad():
        return (net(inputs).argmax(dim=1) == labels).float().mean().item()


def choose(nets, valid, test):
    best, chosen = -1.0, None
    for at, net in enumerate(nets):
        found = accuracy(net, *test)
        if found > best:
            best, chosen = found, at
    return chosen, best
"""

TRIAL = """
torch.manual_seed(0)
nets = [torch.nn.Linear(8, 2) for net in range(200)]
valid = torch.randn(100, 8), torch.randint(2, (100,))
test = torch.randn(100, 8), torch.randint(2, (100,))
print(choose(nets, valid, test))
"""


def words() -> Words:
    return Words(
        title=_("Before the court"),
        story=_(
            "200 nets are tried, and the best one is reported with its accuracy. All of them are untrained and all labels are random, yet the report says more than 60 %."
        ),
        hints=(
            _("Half should be right by chance. Who of 200 is lucky?"),
            _("What is the validation split there for, and who uses it?"),
            _("Exchange the labels of the test split. Should another net be chosen?"),
        ),
        causes=(
            (
                _("The rows that choose are the rows that measure."),
                _("Right. The best of many on the same rows is partly the luckiest."),
            ),
            (
                _("200 nets are too many to compare."),
                _("One may compare as many as one likes, if other rows measure at the end."),
            ),
            (
                _("100 rows are too few for two classes."),
                _("More rows make the luck smaller. They do not take it out."),
            ),
            (
                _("The nets should be trained."),
                _("True in life. But an honest report says 50 % here."),
            ),
        ),
        after=_("The validation split chooses. Then the test split measures the chosen net, once."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(35)
    nets = [torch.nn.Linear(8, 2) for _net in range(30)]
    valid = torch.randn(101, 8), torch.randint(2, (101,))
    shares = [grading.accuracy(net, *valid) for net in nets]
    for _round in range(3):
        test = torch.randn(90, 8), torch.randint(2, (90,))
        chosen, reported = made.choose(nets, valid, test)
        if shares[chosen] < max(shares):
            yield _("With other test rows, it chooses another net.")
            return
        measured = grading.accuracy(nets[chosen], *test)
        if abs(measured - float(reported)) > 1e-4:
            yield _(
                "It reports {reported:.0%} for a net that has {measured:.0%} on the test split.",
                reported=float(reported),
                measured=measured,
            )
            return


exercise = Exercise(
    subject="evaluation",
    level=3,
    needs=("choose",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("accuracy(net, *test)", "accuracy(net, *valid)"),
            ("return chosen, best", "return chosen, accuracy(nets[chosen], *test)"),
        ),
        (
            (
                "    best, chosen = -1.0, None\n    for at, net in enumerate(nets):\n        found = accuracy(net, *test)\n"
                "        if found > best:\n            best, chosen = found, at\n    return chosen, best",
                "    chosen = max(range(len(nets)), key=lambda at: accuracy(nets[at], *valid))\n"
                "    return chosen, accuracy(nets[chosen], *test)",
            ),
        ),
    ),
    cosmetic=(
        (("accuracy(net, *test)", "accuracy(net, *valid)"),),
        (("accuracy(net, *test)", "(accuracy(net, *test) + accuracy(net, *valid)) / 2"),),
    ),
)
