"""D06: pictures are prepared in one way for training and in another for use."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


class Classifier:
    def fit(self, images, labels):
        inputs = images.flatten(1).float()
        self.mean, self.std = inputs.mean(dim=0), inputs.std(dim=0) + 1
        inputs = (inputs - self.mean) / self.std
        self.net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(self.net.parameters(), lr=0.003)
        for epoch in range(4):
            for rows in torch.randperm(len(inputs)).split(50):
                optimizer.zero_grad()
                nn.functional.cross_entropy(self.net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
        return self

    def predict(self, images):
        return self.net(images.flatten(1).float() / 255).argmax(dim=1)
"""

TRIAL = """
import firstlight as fl

train_set, test_set = fl.load("fashion_mnist_small")
classifier = Classifier().fit(train_set.inputs[:1000], train_set.labels[:1000])
print((classifier.predict(test_set.inputs[:500]) == test_set.labels[:500]).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Aprons in a bakery"),
        story=_(
            "A classifier for clothes was trained with a loss that fell well. In use it is wrong far too often, even for pictures that it was trained with."
        ),
        hints=(
            _("It is wrong for training pictures too. So it did not merely learn them by heart."),
            _("Take one picture. Compare what the net gets in `fit` with what it gets in `predict`."),
            _("Which steps stand between `images` and the net, here and there?"),
        ),
        causes=(
            (
                _("In use, the net gets numbers on another scale than in training."),
                _("Right. Mean and std are used in one place only."),
            ),
            (
                _("The net has learned the training pictures by heart."),
                _("Then it would at least be right for those."),
            ),
            (
                _("Four epochs are too few."),
                _("The loss fell well. More epochs do not mend what happens in use."),
            ),
            (
                _("The net is not in eval mode."),
                _("It has no layer that would behave differently."),
            ),
        ),
        after=_("Put the preparation into one function that both places call. Then they cannot drift apart."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    images, labels = grading.pictures(8, 1500)
    classifier = made.Classifier()
    classifier.fit(images[:1000], labels[:1000])
    for part in (slice(1000, 1500), slice(0, 500)):
        found = float((classifier.predict(images[part]) == labels[part]).float().mean())
        wrong = list(grading.too_few(found, 0.68 if part.start else 0.78))
        if wrong:
            yield from wrong
            return


exercise = Exercise(
    subject="data",
    level=2,
    needs=("Classifier",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("images.flatten(1).float() / 255)", "(images.flatten(1).float() - self.mean) / self.std)"),),
        (("inputs = (inputs - self.mean) / self.std", "inputs = inputs / 255"),),
    ),
    cosmetic=(
        (("range(4)", "range(5)"),),
        (("float() / 255)", "float() / 256)"),),
    ),
)
