"""D14: copies of one picture are in both splits."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def make_splits(images, labels):
    images = torch.cat([images, images.flip(-1)])
    labels = torch.cat([labels, labels])
    order = torch.randperm(len(images))
    cut = len(images) * 3 // 4
    train, test = order[:cut], order[cut:]
    return images[train], labels[train], images[test], labels[test]
"""

TRIAL = """
import firstlight as fl

train_set, test_set = fl.load("fashion_mnist_small")
parts = make_splits(train_set.inputs[:1000], train_set.labels[:1000])
print([len(part) for part in parts])
"""


def words() -> Words:
    return Words(
        title=_("A gallery with few pictures"),
        story=_(
            "There are few pictures, so each is used twice, once as its mirror image. The test accuracy is splendid, yet with new pictures the net does much worse."
        ),
        hints=(
            _("The test says one thing, new pictures say another. What are the test pictures?"),
            _("For one test picture, look for the training picture that is nearest to it."),
            _("Where did a test picture's mirror image go?"),
        ),
        causes=(
            (
                _("The test holds mirror images of training pictures."),
                _("Right. The net has seen nearly the same picture, with its label."),
            ),
            (
                _("Mirror images spoil the labels."),
                _("A shirt is a shirt in the mirror too."),
            ),
            (
                _("The test split is too large."),
                _("A large test measures more exactly."),
            ),
            (
                _("The order is drawn only once."),
                _("Once is enough here: every row gets a random place."),
            ),
        ),
        after=_("First split, then make copies, and only of the training rows. So nothing of the test has been seen."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(6)
    images, labels = torch.rand(80, 1, 3, 4), torch.arange(80) % 10
    first, first_labels, second, second_labels = made.make_splits(images.clone(), labels.clone())

    def origins(part: torch.Tensor) -> list[int]:
        both = torch.cat([images, images.flip(-1)]).flatten(1)
        return [int((both - row).abs().sum(1).argmin()) % 80 for row in part.flatten(1)]

    one, other = origins(first), origins(second)
    if len(second) < 8 or len(first) < 40:
        yield _("Each split should have rows: most for training, some for the test.")
    elif first_labels.tolist() != [n % 10 for n in one] or second_labels.tolist() != [n % 10 for n in other]:
        yield _("A picture comes with the wrong label.")
    elif shared := set(one) & set(other):
        yield _("{count} pictures are in both splits, as they are or in the mirror.", count=len(shared))
    elif sorted(set(one) | set(other)) != list(range(80)):
        yield _("Some pictures are in no split.")


exercise = Exercise(
    subject="data",
    level=2,
    needs=("make_splits",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            (
                "    images = torch.cat([images, images.flip(-1)])\n    labels = torch.cat([labels, labels])\n",
                "",
            ),
            (
                "    return images[train], labels[train],",
                "    more = torch.cat([images[train], images[train].flip(-1)])\n    return more, labels[train].repeat(2),",
            ),
        ),
        (
            (
                "    order = torch.randperm(len(images))\n    cut = len(images) * 3 // 4\n    train, test = order[:cut], order[cut:]\n",
                "    half = len(images) // 2\n    order = torch.randperm(half)\n    cut = half * 3 // 4\n"
                "    train = torch.cat([order[:cut], order[:cut] + half])\n    test = torch.cat([order[cut:], order[cut:] + half])\n",
            ),
        ),
    ),
    cosmetic=(
        (("* 3 // 4", "* 9 // 10"),),
        (("    order =", "    torch.manual_seed(0)\n    order ="),),
    ),
)
