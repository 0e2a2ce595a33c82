"""How good a classifier is, where it errs, and on which samples it errs with most conviction.

Shapes: N samples, K classes, C channels, H height, W width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.locale import Text
from firstlight.picture import Picture
from firstlight.run.trained import note_result
from firstlight.train.check import ClassesMismatch, check, require_model
from firstlight.train.device import choose_device, home_of, require
from firstlight.train.feed import Feed
from firstlight.train.malloc import kept_memory
from firstlight.train.measure import looking
from firstlight.train.report import picture


class NothingToClassify(FirstlightError, TypeError):
    """`evaluate` was asked about a model that gives no scores per class."""

    text = Text(
        what="This model does not classify: it gives no row of scores for each sample.",
        why="Precision, recall and the confusion matrix count classes.",
        do="Measure a model of another kind with its own loss function, in a loop over test.batches(...).",
    )


@dataclass(frozen=True)
class ClassScore:
    """What the model makes of one class. A share is nan where nothing can be divided by.

    Attributes:
        name: The class.
        precision: Of the samples taken for this class, the share that belong to it.
        recall: Of the samples that belong to this class, the share that were found.
        f1: Harmonic mean of the two.
        support: How many samples belong to this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Mistake:
    """One sample that the model takes for something else.

    Attributes:
        index: Where the sample stands in the data, in the order in which it was read.
        true: Its class.
        predicted: What the model takes it for.
        confidence: Softmax of the largest score.
        picture: The sample's pixels, (C, H, W); None for samples that are no pictures.
    """

    index: int
    true: str
    predicted: str
    confidence: float
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found. In a notebook it shows itself; `show()` does so anywhere.

    Attributes:
        accuracy: Share of samples whose largest score is the right class.
        loss: Mean cross-entropy.
        per_class: One row for each class, in the order of the labels.
        confusion: How often the class of the row was taken for the class of the column.
        mistakes: Those made with the most confidence, worst first.
        classes: Names of the classes.

    Shape:
        confusion: (K, K), int64
    """

    accuracy: float
    loss: float
    per_class: tuple[ClassScore, ...]
    confusion: Tensor
    mistakes: tuple[Mistake, ...]
    classes: tuple[str, ...]

    def picture(self) -> Picture:
        """The whole report as HTML and as text."""
        return picture(self)

    def show(self) -> None:
        """Show the report: below the cell in a notebook, as text in a terminal."""
        self.picture().display()

    def __repr__(self) -> str:
        return self.picture().text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()


def evaluate(
    model: nn.Module,
    test: Any,
    *,
    batch_size: int = 512,
    device: str | torch.device | None = None,
    classes: Sequence[str] | None = None,
    mistakes: int = 12,
) -> Evaluation:
    """Measure a classifier on data that it has not learned from.

    The model comes back as it was: same mode, same device, same buffers, no gradients. No random number is drawn.

    Args:
        model: Gives a row of scores (before softmax) for each sample.
        test: A firstlight `Dataset`, a `DataLoader` of (inputs, labels), or a torch dataset.
        batch_size: Samples at a time; the results do not depend on it. A `DataLoader` has its own.
        device: Where to compute; None for where the model is, `"auto"` for `choose_device`.
        classes: Names of the classes, where the data does not know them.
        mistakes: How many of the most confident mistakes to keep.

    Raises:
        FirstlightError: Model and data do not fit together; the message says where.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> model = nn.Linear(2, 2, bias=False)
        >>> _ = model.requires_grad_(False).weight.copy_(torch.eye(2))
        >>> points = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
        >>> result = evaluate(model, DataLoader(TensorDataset(points, torch.tensor([0, 1, 0]))))
        >>> result.confusion
        tensor([[1, 1],
                [0, 1]])
        >>> [(mistake.index, mistake.true, mistake.predicted) for mistake in result.mistakes]
        [(2, '0', '1')]
    """
    require_model(model)
    home = home_of(model)
    place = home if device is None else choose_device(announce=False) if device == "auto" else require(device)
    feed = Feed(test, batch_size, place, split="test")
    try:
        if place != home:
            model.to(place)
        if check(model, feed, training=False).outputs is None:
            raise NothingToClassify
        if classes is not None and len(classes) != feed.outputs:
            raise ClassesMismatch(outputs=feed.outputs, classes=len(classes))
        with kept_memory():
            found = _evaluate(model, feed, classes or feed.classes, max(mistakes, 0))
    finally:
        if place != home:
            model.to(home)
    if getattr(feed.dataset, "split", None) == "test" and isinstance(feed.dataset, Dataset):
        note_result(model, {"test/loss": found.loss, "test/accuracy": found.accuracy})  # for `runs()`
    return found


def _evaluate(model: nn.Module, feed: Feed, names: Sequence[str] | None, keep: int) -> Evaluation:
    assert feed.outputs is not None  # check() said so
    names = tuple(names) if names else tuple(str(index) for index in range(feed.outputs))
    all_labels, all_predicted = [], []
    loss, seen = 0.0, 0
    worst: list[tuple[float, int, Any]] = []  # confidence, index, the sample as the model was given it
    with looking(model):
        for inputs, labels in feed:
            scores = model(inputs).float()
            loss += nn.functional.cross_entropy(scores, labels, reduction="sum").item()
            confidence, predicted = scores.softmax(dim=1).nan_to_num(0.0).max(dim=1)
            wrong = (predicted != labels).nonzero().flatten()
            for place in wrong[confidence[wrong].argsort(descending=True)[:keep]].tolist():
                worst.append((confidence[place].item(), seen + place, _one(inputs, place)))
            worst = sorted(worst, key=lambda one: (-one[0], one[1]))[:keep]
            seen += len(labels)
            all_labels.append(labels.cpu())
            all_predicted.append(predicted.cpu())
    labels, predicted = torch.cat(all_labels), torch.cat(all_predicted)
    size = len(names)
    confusion = torch.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)
    return Evaluation(
        accuracy=confusion.diagonal().sum().item() / seen,
        loss=loss / seen,
        per_class=_per_class(confusion, names),
        confusion=confusion,
        mistakes=tuple(
            Mistake(
                index=index,
                true=names[int(labels[index])],
                predicted=names[int(predicted[index])],
                confidence=confidence,
                picture=_pixels(feed, index, sample),
            )
            for confidence, index, sample in worst
        ),
        classes=names,
    )


def _per_class(confusion: Tensor, names: Sequence[str]) -> tuple[ClassScore, ...]:
    right, taken, support = (
        counts.tolist() for counts in (confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1))
    )
    return tuple(
        ClassScore(
            name=name,
            precision=_share(right[k], taken[k]),
            recall=_share(right[k], support[k]),
            f1=_share(2 * right[k], taken[k] + support[k]),
            support=support[k],
        )
        for k, name in enumerate(names)
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _one(inputs: Any, place: int) -> Any:
    return inputs[place].cpu() if isinstance(inputs, Tensor) else None


def _pixels(feed: Feed, index: int, sample: Any) -> NDArray[np.uint8] | None:
    """The sample as a picture: the original pixels where the data has them, else the model's input, stretched."""
    if isinstance(feed.source, Dataset) and feed.source.kind == "picture":
        sample = feed.source.take(slice(index, index + 1))[0][0]  # `inputs` of a part would copy all of it
    if not isinstance(sample, Tensor) or sample.ndim != 3 or sample.shape[0] not in (1, 3):
        return None
    if sample.dtype != torch.uint8:
        low, high = sample.min(), sample.max()
        sample = ((sample.float() - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8)
    return np.asarray(sample.cpu().numpy(), dtype=np.uint8)
