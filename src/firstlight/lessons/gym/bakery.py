"""D06: pictures are prepared in one way for training and in another for use."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

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


def _fed(work: Callable[[], object]) -> torch.Tensor:
    """The rows that reach the first layer while `work` runs: what was made of the pictures."""
    rows: list[torch.Tensor] = []

    def note(_layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[-1] in (784, 28) and (not rows or inputs[0] is not rows[-1]):
            rows.append(inputs[0])

    hook = register_module_forward_pre_hook(note)
    try:
        work()
    finally:
        hook.remove()
    return torch.cat([one.detach().reshape(len(one), -1) for one in rows])


def judge(made: SimpleNamespace) -> Iterator[str]:
    images, labels = grading.pictures(8, 1500)
    classifier, train = made.Classifier(), images[:1000]
    learned = _fed(lambda: classifier.fit(train, labels[:1000]))
    used = _fed(lambda: classifier.predict(train))
    spread = learned.std(0).norm()
    if max((learned.mean(0) - used.mean(0)).norm(), (learned.std(0) - used.std(0)).norm()) > 0.1 * spread:
        yield _("The same pictures reach the net as other numbers in use than in training.")
        return
    found = float((classifier.predict(images[1000:]) == labels[1000:]).float().mean())
    yield from grading.too_few(found, 0.6)


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
        (("images.flatten(1).float() / 255)", "images.flatten(1).float() - self.mean)"),),
    ),
)
