"""D02: names are numbered anew for each split."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch


def number(names):
    known = sorted(set(names))
    return torch.tensor([known.index(name) for name in names])


def prepare(train_names, test_names):
    return number(train_names), number(test_names)
"""

TRIAL = """
train_labels, test_labels = prepare(["pear", "apple", "plum", "apple", "fig"], ["plum", "pear", "pear"])
print(train_labels, test_labels)
"""


def words() -> Words:
    return Words(
        title=_("Fruit from the orchard"),
        story=_(
            "The labels of some fruit are words, and `prepare` makes numbers of them. In training all is well, but on the test fruit the accuracy is close to zero."
        ),
        hints=(
            _("Training works. What is special about the test fruit here?"),
            _("Not every fruit is in the test split. Read the numbers that the cell prints."),
            _("Which number has a plum in training, and which in the test?"),
        ),
        causes=(
            (
                _("The same word has different numbers in the two splits."),
                _("Right. Each split was numbered by the words that happened to be in it."),
            ),
            (
                _("The test split is too small."),
                _("A small test makes the accuracy rough. It does not make it zero."),
            ),
            (
                _("The net has learned the training rows by heart."),
                _("Then the test would be worse, but not worse than guessing."),
            ),
            (
                _("The numbers should begin at 1."),
                _("PyTorch counts classes from 0."),
            ),
        ),
        after=_(
            "The table from words to numbers belongs to training. Make it once, keep it, and use it for all later data."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    train, test = ["d", "b", "a", "c", "b", "e"], ["e", "c", "c", "b"]
    first, second = made.prepare(list(train), list(test))
    numbers = dict(zip(train, first.tolist(), strict=True))
    if sorted(set(numbers.values())) != list(range(5)):
        yield _("The five words do not have the numbers 0 to 4.")
    elif [numbers[word] for word in train] != first.tolist() or [numbers[word] for word in test] != second.tolist():
        yield _("A word does not always have the same number.")


exercise = Exercise(
    subject="data",
    level=1,
    needs=("prepare",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            ("def number(names):\n    known = sorted(set(names))\n", "def number(names, known):\n"),
            (
                "    return number(train_names), number(test_names)",
                "    known = sorted(set(train_names))\n    return number(train_names, known), number(test_names, known)",
            ),
        ),
        (
            (
                "    return number(train_names), number(test_names)",
                "    both = number(train_names + test_names)\n    return both[:len(train_names)], both[len(train_names):]",
            ),
        ),
    ),
    cosmetic=(
        (("sorted(set(names))", "list(dict.fromkeys(names))"),),
        (("sorted(set(names))", "sorted(set(names), reverse=True)"),),
    ),
)
