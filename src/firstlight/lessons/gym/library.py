"""D22: the dataset changes what it stores."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch.utils.data import Dataset


class Shelf(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images.float(), labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, at):
        image = self.images[at]
        image /= 255
        return image, self.labels[at]
"""

TRIAL = """
import firstlight as fl

train_set, test_set = fl.load("fashion_mnist_small")
shelf = Shelf(train_set.inputs[:200], train_set.labels[:200])
for epoch in range(3):
    print(epoch, sum(shelf[at][0].mean().item() for at in range(200)) / 200)
"""


def words() -> Words:
    return Words(
        title=_("Pictures in a library"),
        story=_(
            "Pictures are lent to the training, one after another, in every epoch. In the first epoch the net learns well, and after that it forgets everything."
        ),
        hints=(
            _("What differs between the first epoch and the second? The cell below the code prints a number for each."),
            _("Take the same picture twice, and compare."),
            _("What does `self.images` hold after one picture was taken?"),
        ),
        causes=(
            (
                _("Each visit changes the stored picture."),
                _("Right. The picture is a view of the store, and `/=` writes into it."),
            ),
            (
                _("The learning rate grows from epoch to epoch."),
                _("There is no learning rate in this code, and yet the numbers change."),
            ),
            (
                _("The pictures are shuffled in each epoch."),
                _("The order has no influence on the mean of all pictures."),
            ),
            (
                _("The labels are of the wrong type."),
                _("The labels are handed on as they are, in each epoch."),
            ),
        ),
        after=_(
            "`image / 255` makes a new tensor; `image /= 255` changes the stored one. A dataset gives, it never keeps."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(3)
    images = torch.randint(256, (5, 1, 4, 4)).float()
    images[:, 0, 0, 0] = 255
    kept, labels = images.clone(), torch.tensor([4, 3, 2, 1, 0])
    shelf = made.Shelf(images, labels)
    for _round in range(3):
        for at in range(5):
            image, label = shelf[at]
            if int(label) != 4 - at:
                yield _("A picture comes with the wrong label.")
                return
            if grading.differs(image, kept[at] / 255):
                yield _("A picture that is asked for again is not the one that it was, with white as 1.")
                return
    if len(shelf) != 5 or grading.differs(images, kept):
        yield _("The pictures that were handed to it have changed.")


exercise = Exercise(
    subject="data",
    level=2,
    needs=("Shelf",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("        image /= 255\n", "        image = image / 255\n"),),
        (("= images.float(), labels", "= images.float() / 255, labels"), ("        image /= 255\n", "")),
        (("self.images[at]\n", "self.images[at].clone()\n"),),
    ),
    cosmetic=(
        (("image /= 255", "image.div_(255.0)"),),
        (("= images.float(), labels", "= images.clone().float(), labels"),),
    ),
)
