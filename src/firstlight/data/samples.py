"""From arrays in any common form to the one form of a `Dataset`.

Shapes: N samples, C channels (1 grey, 3 colour), H height, W width, F features.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.data.card import Card
from firstlight.data.dataset import Dataset, stratified_split
from firstlight.data.errors import (
    BadSize,
    ClassesDiffer,
    LabelGap,
    LabelOutOfRange,
    LabelsNotClasses,
    LengthsDiffer,
    NoSamples,
    NotFinite,
    NotNumbers,
    OneClass,
    PixelsOutOfRange,
    ShapesDiffer,
    UnknownClass,
    WrongShape,
)
from firstlight.data.preprocess import prepare_features, prepare_pictures
from firstlight.data.store import Inputs
from firstlight.locale import _

Pair = tuple[Any, Any]  # inputs and labels as the learner has them
Place = Callable[[int], str]  # how to name a sample: "row 5", "line 7"


def row(index: object) -> str:
    """How a sample without another name is called; counting from 0, as arrays do."""
    return _("row {index}", index=index)


def splits(
    train: Pair,
    test: Pair | None,
    *,
    name: str,
    card: Card | None = None,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    share: float = 0.2,
    seed: int = 0,
) -> tuple[Dataset, Dataset]:
    """Two datasets of one form from arrays or tensors; a test split is split off where there is none.

    Args:
        train: Inputs and labels to train with.
        test: Inputs and labels to test with, or None.
        name: What the dataset is called.
        card: What is known about it.
        classes: Names of the classes, where labels are their numbers.
        size: Size to which pictures are brought.
        share: Share of the samples for the test split, where one is split off.
        seed: Which ones.
    """
    train_inputs, train_labels = to_inputs(train[0], size), to_array(train[1])
    check_lengths(train_inputs, train_labels)
    test_inputs = test_labels = None
    if test is not None:
        test_inputs, test_labels = to_inputs(test[0], size), to_array(test[1])
        check_lengths(test_inputs, test_labels)
        if test_inputs.shape[1:] != train_inputs.shape[1:]:
            raise ShapesDiffer(
                first=_("The training split"),
                first_shape=tuple(train_inputs.shape[1:]),
                other=_("the test split"),
                other_shape=tuple(test_inputs.shape[1:]),
            )
    numbers, test_numbers, names = to_labels(train_labels, test_labels, classes)
    return finish(
        (train_inputs, numbers),
        None if test_inputs is None or test_numbers is None else (test_inputs, test_numbers),
        names,
        name=name,
        card=card,
        share=share,
        seed=seed,
    )


def finish(
    train: tuple[Inputs, Tensor],
    test: tuple[Inputs, Tensor] | None,
    classes: Sequence[str],
    *,
    name: str,
    card: Card | None = None,
    share: float = 0.2,
    seed: int = 0,
    preprocess: nn.Module | None = None,
) -> tuple[Dataset, Dataset]:
    """Make the two datasets, with a common `preprocess` from the statistics of the training split."""
    whole = Dataset(*train, classes, name=name, card=card)
    if test is None:
        rest, part = stratified_split(whole.labels, share, seed)
        first, second = whole.subset(rest), whole.subset(part)
        # Each gets its own samples now: what the learner will look at anyway, and the whole can go.
        first.inputs, second.inputs = first.take(slice(None))[0], second.take(slice(None))[0]
    else:
        first, second = whole, Dataset(*test, classes, name=name, card=card)
    if int(first.labels.min()) == int(first.labels.max()):
        raise OneClass(label=classes[int(first.labels[0])])
    if preprocess is not None:
        first.preprocess = preprocess
    elif isinstance(first.inputs, Tensor):
        first.preprocess = prepare_pictures(first.inputs) if first.kind == "picture" else prepare_features(first.inputs)
    second.preprocess = first.preprocess
    second.split = "test"
    return first, second


def to_array(values: Any) -> NDArray[Any]:
    """A NumPy array of what the learner gave: tensor, array, list, or a column of a DataFrame.

    Raises:
        WrongShape: A list whose rows have different lengths.
    """
    if isinstance(values, (list, tuple)) and any(isinstance(value, Tensor) for value in values):
        values = [value.detach().cpu().numpy() if isinstance(value, Tensor) else value for value in values]
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        if values.is_sparse:
            values = values.to_dense()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    try:
        array: NDArray[Any] = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise WrongShape(shape=_("a list whose rows have different lengths")) from error
    return array


def to_inputs(values: Any, size: int | tuple[int, int] | None = None) -> Tensor:
    """Pictures as `uint8` (N, C, H, W), or features as `float32` (N, F)."""
    array = to_array(values)
    if array.dtype == object:
        raise NotNumbers(kind=_("mixed objects"))
    if array.dtype.kind not in "buif":
        raise NotNumbers(kind=str(array.dtype))
    if array.ndim not in (2, 3, 4) or 0 in array.shape[1:]:
        raise WrongShape(shape=tuple(array.shape))
    if len(array) == 0:
        raise NoSamples(place=f"X {tuple(array.shape)}")
    if array.ndim == 2:
        return _features(array)
    pictures = _pictures(array)
    return pictures if size is None else resize(pictures, pair(size))


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """A size as (height, width).

    Raises:
        BadSize: It is none.

    Example:
        >>> pair(64), pair((48, 64))
        ((64, 64), (48, 64))
    """
    both = (size, size) if isinstance(size, (int, np.integer)) and not isinstance(size, bool) else size
    if (
        isinstance(both, Sequence)
        and len(both) == 2
        and all(isinstance(side, (int, np.integer)) and 1 <= side <= 65_535 for side in both)
    ):
        return int(both[0]), int(both[1])
    raise BadSize(size=repr(size))


def resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring pictures to one size, smoothly, a few at a time.

    Shape:
        pictures: (N, C, *, *), `uint8`
        output: (N, C, H, W), `uint8`
    """
    if pictures.shape[2:] == size:
        return pictures
    resized = torch.empty((len(pictures), pictures.shape[1], *size), dtype=torch.uint8)
    for start in range(0, len(pictures), 256):
        chunk = pictures[start : start + 256].float()
        smooth = F.interpolate(chunk, size=size, mode="bilinear", antialias=True, align_corners=False)
        resized[start : start + 256] = smooth.round().clamp(0, 255).to(torch.uint8)
    return resized


def _features(array: NDArray[Any]) -> Tensor:
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is reported as what it was
        features = np.ascontiguousarray(array, dtype=np.float32)
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        index, column = bad[0].tolist()
        raise NotFinite(place=row(index), column=column, value=array[index, column])
    return torch.from_numpy(features.copy() if np.shares_memory(features, array) else features)


def _pictures(array: NDArray[Any]) -> Tensor:
    """Channels first, `uint8`."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[1] not in (1, 3):
        if array.shape[3] not in (1, 3, 4):
            raise WrongShape(shape=tuple(array.shape))
        array = array.transpose(0, 3, 1, 2)
    pixels = _pixels(array)
    if pixels.shape[1] == 4:  # the fourth says how opaque a pixel is: laid on white, as a page would show it
        opaque = pixels[:, 3:].astype(np.uint16)
        pixels = ((pixels[:, :3] * opaque + 255 * (255 - opaque)) // 255).astype(np.uint8)
    return torch.from_numpy(np.array(pixels, dtype=np.uint8, order="C"))


def _pixels(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == bool:
        array = array * np.uint8(255)
    if array.dtype == np.uint8:
        pixels: NDArray[np.uint8] = array
        return pixels
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high) and low >= 0 and high <= 255):
        flat = array.reshape(len(array), -1)
        odd = ~(np.isfinite(flat) & (flat >= 0) & (flat <= 255)).all(axis=1)
        raise PixelsOutOfRange(low=low, high=high, row=int(np.flatnonzero(odd)[0]))
    if array.dtype.kind == "f" and high <= 1:
        array = array * 255
    rounded: NDArray[np.uint8] = np.rint(array).astype(np.uint8)
    return rounded


def check_lengths(inputs: Inputs, labels: NDArray[Any]) -> None:
    """One label for each sample, or an error."""
    if labels.ndim == 0 or len(inputs) != len(labels):
        raise LengthsDiffer(inputs=len(inputs), labels=len(labels) if labels.ndim else 1)


def to_labels(
    train: NDArray[Any],
    test: NDArray[Any] | None,
    classes: Sequence[str] | None,
    place: Place = row,
    *,
    order: Sequence[str] | None = None,
) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
    """Class indices for both splits, and the names of the classes.

    Words become their position in `order`, or in the sorted list of different words. Numbers stay as they are.
    """
    train = _flat(train)
    test = None if test is None else _flat(test)
    if classes is not None and train.dtype == bool:  # False is the first of them
        train, test = train.astype(np.int64), test.astype(np.int64) if test is not None and test.dtype == bool else test
    if train.dtype.kind in "USOb":
        wanted = classes if classes is not None else order
        names = tuple(str(name) for name in wanted) if wanted is not None else _words(train)
        given = classes is not None
        found = _positions(train, names, place, given)
        return found, None if test is None else _positions(test, names, place, given), names
    numbers = _whole(train, place)
    test_numbers = None if test is None else _whole(test, place)
    if classes is None:
        _check_range(numbers, None, place)
        occurring = np.unique(numbers)
        gaps = np.flatnonzero(occurring != np.arange(len(occurring)))
        if len(gaps):
            raise LabelGap(largest=int(occurring[-1]), missing=int(gaps[0]))
        classes = [str(number) for number in occurring]
    _check_range(numbers, len(classes), place)
    if test_numbers is not None:
        _check_range(test_numbers, len(classes), place)
    return (
        torch.from_numpy(numbers),
        None if test_numbers is None else torch.from_numpy(test_numbers),
        tuple(str(name) for name in classes),
    )


def _flat(labels: NDArray[Any]) -> NDArray[Any]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim != 1:
        raise LabelsNotClasses(found=_("an array of the shape {shape}", shape=tuple(labels.shape)))
    if labels.dtype == object and all(type(label) is int or isinstance(label, np.integer) for label in labels.tolist()):
        return labels.astype(np.int64)  # pandas' nullable numbers come as objects
    return labels


def _words(labels: NDArray[Any]) -> tuple[str, ...]:
    return tuple(sorted({_word(label) for label in labels.tolist()}))


def _word(label: object) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)


def _positions(labels: NDArray[Any], names: tuple[str, ...], place: Place, given: bool) -> Tensor:
    """The position of each label in `names`, which were given by the learner or found in the training split."""
    known = {name: index for index, name in enumerate(names)}
    numbers = torch.empty(len(labels), dtype=torch.int64)
    for index, label in enumerate(labels.tolist()):
        if label is None or label != label:  # NaN is the one value that differs from itself
            raise LabelsNotClasses(found=_("no label in {place}", place=place(index)))
        word = _word(label)
        if word not in known:
            raise (
                UnknownClass(name=word, place=place(index), classes=", ".join(names))
                if given
                else ClassesDiffer(name=word)
            )
        numbers[index] = known[word]
    return numbers


def _whole(labels: NDArray[Any], place: Place) -> NDArray[np.int64]:
    if labels.dtype.kind not in "iuf":
        raise LabelsNotClasses(found=str(labels.dtype))
    if labels.dtype.kind == "f":
        bad = np.flatnonzero(~(np.isfinite(labels) & (labels == np.rint(labels)) & (np.abs(labels) < 2**53)))
        if len(bad):
            raise LabelsNotClasses(found=_("{value} in {place}", value=labels[bad[0]], place=place(int(bad[0]))))
    return labels.astype(np.int64)


def _check_range(labels: NDArray[np.int64], count: int | None, place: Place) -> None:
    bad = np.flatnonzero((labels < 0) | (labels >= (count or np.iinfo(np.int64).max)))
    if len(bad):
        last = (count if count is not None else len(np.unique(labels))) - 1
        raise LabelOutOfRange(place=place(int(bad[0])), label=int(labels[bad[0]]), last=max(last, 0))
