"""E05: the largest score is looked for in the wrong dimension."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def predict(net, inputs, size=10):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(rows).softmax(dim=-1).argmax(dim=0) for rows in inputs.split(size)])
"""

TRIAL = """
labels = torch.arange(40) % 10
scores = torch.eye(10)[labels]
found = predict(torch.nn.Identity(), scores)
print((found == labels).float().mean().item())
print((predict(torch.nn.Identity(), scores.flip(0)) == labels.flip(0)).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Where the compass points"),
        story=_(
            "The training loss of a net with ten classes is nearly zero. Yet its answers on the same rows are no better than chance, as soon as the rows come in another order."
        ),
        hints=(
            _("The net is good. So look at the way from scores to answers."),
            _("Give it 25 rows in batches of 10. How many answers come back?"),
            _("Scores have the shape (rows, classes). Which of the two should vanish?"),
        ),
        causes=(
            (
                _("For each class it finds a row, not for each row a class."),
                _(
                    "Right. `dim` names the dimension that vanishes. With ten rows and ten classes, the shape gives nothing away."
                ),
            ),
            (
                _("Softmax changes which score is largest."),
                _("It keeps the order of the scores within a row."),
            ),
            (
                _("The batches are too small."),
                _("With any size, each row should have its own answer."),
            ),
            (
                _("The net has learned the rows by heart."),
                _("These are the rows that it has learned. It should know them."),
            ),
        ),
        after=_(
            "`argmax(dim=1)`, or `dim=-1`: over the classes. A batch with another number of rows than classes would have shown it."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    net = torch.nn.Identity()
    for rows in (30, 10, 7):
        scores = torch.randn(rows, 10, generator=torch.Generator().manual_seed(rows))
        found = made.predict(net, scores)
        if found.shape != (rows,):
            yield _("For {rows} rows it gives {found} answers.", rows=rows, found=len(found))
            return
        if grading.differs(found, scores.argmax(dim=1)):
            yield _("Its answer is not the class with the largest score.")
            return


exercise = Exercise(
    subject="evaluation",
    level=2,
    needs=("predict",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("argmax(dim=0)", "argmax(dim=1)"),),
        (("softmax(dim=-1).argmax(dim=0)", "max(dim=-1).indices"),),
    ),
    cosmetic=(
        (("softmax(dim=-1)", "softmax(dim=0)"),),
        (("size=10", "size=1"),),
    ),
)
