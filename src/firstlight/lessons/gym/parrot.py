"""D08: channels last are reshaped, not moved."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def channels_first(pixels):
    count, height, width, channels = pixels.shape
    return pixels.reshape(count, channels, height, width)
"""

TRIAL = """
import firstlight as fl

grey = fl.load("fashion_mnist_small")[0].inputs[:1, 0]
colour = torch.stack([grey, grey, grey], dim=3)
print(colour.shape, channels_first(colour).shape)
print(channels_first(colour)[0, 0, 10])
"""


def words() -> Words:
    return Words(
        title=_("Photos of a parrot"),
        story=_(
            "A camera gives colour pictures with the colours as the last dimension, and the net wants them first. The shapes fit, but the net learns much worse than on other pictures."
        ),
        hints=(
            _("A shape says how many numbers there are, not which number stands where."),
            _("Draw a picture before and after: `plt.imshow(...)`."),
            _("The red value of row 2, column 5 was `pixels[0, 2, 5, 0]`. Where is it now?"),
        ),
        causes=(
            (
                _("The numbers keep their order and only get another shape."),
                _("Right. So the new rows hold a mix of pixels and colours."),
            ),
            (
                _("Colours should be averaged before training."),
                _("One can do so, but a net can use colours as they are."),
            ),
            (
                _("Height and width are exchanged."),
                _("That alone would only turn the pictures, all in the same way."),
            ),
            (
                _("The values are not between 0 and 1."),
                _("Scaling is another step. Here it is about places."),
            ),
        ),
        after=_(
            "`permute(0, 3, 1, 2)` moves dimensions. `reshape` and `view` only cut the same row of numbers in other pieces."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(4)
    for shape in ((2, 5, 7, 3), (3, 6, 6, 4)):
        pixels = torch.randint(256, shape)
        found = made.channels_first(pixels.clone())
        if tuple(found.shape) != (shape[0], shape[3], shape[1], shape[2]):
            yield _("The shape is not: pictures, channels, height, width.")
            return
        if grading.differs(found.select(1, 2), pixels[..., 2]):
            yield _("The third colour of the result is not the third colour of the picture.")
            return


exercise = Exercise(
    subject="data",
    level=1,
    needs=("channels_first",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("pixels.reshape(count, channels, height, width)", "pixels.permute(0, 3, 1, 2)"),),
        (("pixels.reshape(count, channels, height, width)", "torch.stack(pixels.unbind(3), dim=1)"),),
    ),
    cosmetic=(
        (("pixels.reshape", "pixels.contiguous().view"),),
        (
            (
                "pixels.reshape(count, channels, height, width)",
                "pixels.transpose(1, 2).reshape(count, channels, height, width)",
            ),
        ),
    ),
)
