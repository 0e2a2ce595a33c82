"""E06: a column of answers is compared with a row of labels."""

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
        answers = net(inputs) > 0
    return (answers == labels).float().mean().item()
"""

TRIAL = """
torch.manual_seed(0)
labels = torch.arange(100) % 2
scores = (2.0 * labels - 1)[:, None]
print(accuracy(torch.nn.Identity(), scores, labels))
print(accuracy(torch.nn.Identity(), -scores, labels))
"""


def words() -> Words:
    return Words(
        title=_("Rain at the festival"),
        story=_(
            "A net with one score foretells rain: above zero means rain. Whether it is perfect or always wrong, its accuracy is reported as 50 %."
        ),
        hints=(
            _("A perfect net and one that is always wrong get the same. Which pairs are compared?"),
            _("Print the shapes of `answers` and of `labels`."),
            _("How many comparisons are there for 100 rows?"),
        ),
        causes=(
            (
                _("Each answer is compared with the labels of all rows."),
                _("Right. A column and a row make a whole table."),
            ),
            (
                _("The border should be at 0.5."),
                _("For scores, zero is the middle."),
            ),
            (
                _("True and False cannot be compared with 1 and 0."),
                _("They can: True equals 1."),
            ),
            (
                _("The two classes are equally frequent."),
                _("So chance gives 50 %. But a perfect net should get more."),
            ),
        ),
        after=_(
            "Take away the dimension of size 1 first: `squeeze(1)`. An accuracy that never changes is a sign to look at shapes."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    net = torch.nn.Identity()
    for rows in (100, 33, 1):
        draw = torch.Generator().manual_seed(rows)
        scores, labels = torch.randn(rows, 1, generator=draw), torch.randint(2, (rows,), generator=draw)
        labels[: rows // 2] = (scores[: rows // 2, 0] > 0).long()
        right = float(((scores[:, 0] > 0).long() == labels).double().mean())
        found = float(made.accuracy(net, scores, labels))
        if abs(found - right) > 1e-5:
            yield _(
                "With {rows} rows, it says {found:.1%}. It should be {right:.1%}.", rows=rows, found=found, right=right
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
        (("net(inputs) > 0", "net(inputs).squeeze(1) > 0"),),
        (("answers == labels", "answers.flatten() == labels"),),
        (("answers == labels)", "answers == labels[:, None])"),),
    ),
    cosmetic=(
        (("> 0", "> 0.5"),),
        (("answers == labels", "answers.long() == labels.long()"),),
    ),
)
