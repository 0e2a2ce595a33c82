"""D09: whole numbers of 8 bits overflow."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def brighten(images, by):
    brighter = images + by
    return brighter.float() / 255
"""

TRIAL = """
import firstlight as fl

images = fl.load("fashion_mnist_small")[0].inputs[:100]
for by in (0, 40, 80, 120):
    print(by, brighten(images, by).mean().item(), brighten(images, by).max().item())
"""


def words() -> Words:
    return Words(
        title=_("Light of a lantern"),
        story=_(
            "To learn from dark and bright pictures, each one is made brighter by a random amount. With this, the accuracy on bright pictures became worse."
        ),
        hints=(
            _("Look at a picture after `brighten`. Which places look odd?"),
            _("Look at the largest values before and after. Does anything become darker?"),
            _("Print `images.dtype`, and the value of one pixel of 250 after adding 10."),
        ),
        causes=(
            (
                _("A pixel that becomes too bright starts again at black."),
                _("Right. A uint8 ends at 255, and what lies above begins again at 0."),
            ),
            (
                _("Brightening takes too much away from the contrast."),
                _("Adding the same to all pixels keeps their differences."),
            ),
            (
                _("The division by 255 has to come first in every program."),
                _("The order alone is no fault. What counts is the type in which the sum is made."),
            ),
            (
                _("The labels no longer fit the pictures."),
                _("The labels are not touched here."),
            ),
        ),
        after=_("Sums belong in float. First `images.float()`, then add, and cut what is above white with `clamp`."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    for by in (0, 25, 90):
        found = made.brighten(grey, by).flatten()
        if not found.is_floating_point() or found.max() > 2:
            yield _("The result should be float, and white is about 1.")
            return
        if (found.diff() < 0).any():
            yield _("Of two pixels, the brighter one comes out darker.")
            return
        if grading.differs(found[:150], (torch.arange(150) + by) / 255, within=0.01):
            yield _("A dark pixel does not come out as much brighter as it was asked.")
            return


exercise = Exercise(
    subject="data",
    level=2,
    needs=("brighten",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("images + by", "(images.float() + by).clamp(0, 255)"),),
        (("images + by", "images.int() + by"),),
    ),
    cosmetic=(
        (("images + by", "(images + by).clamp(0, 255)"),),
        (("brighter.float() / 255", "(brighter.float() / 255).clamp(0, 1)"),),
    ),
)
