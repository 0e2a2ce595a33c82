"""Datasets of other libraries, recognised by what they offer: torch (torchvision) and Hugging Face.

Neither library is imported here. Shapes: N samples, C channels, H height, W width, F features.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from firstlight.data.card import Card
from firstlight.data.dataset import Dataset
from firstlight.data.errors import (
    CannotLoad,
    LabelsNotClasses,
    NoSamples,
    NoSuchColumn,
    NoTrainSplit,
    ShapesDiffer,
    TargetNeeded,
    UnreadablePicture,
)
from firstlight.data.pictures import decode
from firstlight.data.progress import Progress
from firstlight.data.samples import pair, splits
from firstlight.data.tables import Table, columns_of, load_tables
from firstlight.locale import _

Size = int | tuple[int, int] | None


def is_torch(what: Any) -> bool:
    """Whether it is a map-style dataset: it has a length and gives samples by position."""
    if isinstance(what, torch.utils.data.IterableDataset):
        raise CannotLoad(kind=type(what).__name__)
    return isinstance(what, torch.utils.data.Dataset)


def is_hugging_face(what: Any) -> bool:
    """Whether it is a `Dataset` or `DatasetDict` of the library `datasets`."""
    return type(what).__module__.split(".")[0] == "datasets"


def load_torch(
    train: Any,
    test: Any | None,
    *,
    size: Size,
    classes: Sequence[str] | None,
    share: float,
    seed: int,
    progress: bool,
) -> tuple[Dataset, Dataset]:
    """One or two torch datasets whose samples are pairs of an input and a class number.

    Each sample is taken once. A transform that crops or turns at random is thereby frozen: give such changes to
    `batches(augment=)` instead.
    """
    name = type(train).__name__
    names = classes if classes is not None else _classes(train)
    pairs = [None if one is None else _take(one, size, progress) for one in (train, test)]
    assert pairs[0] is not None
    channels = max(_channels(one[0]) for one in pairs if one is not None)
    ready = [None if one is None else (_stack(one[0], channels), one[1]) for one in pairs]
    assert ready[0] is not None
    return splits(ready[0], ready[1], name=name, card=Card(name=name), classes=names, size=size, share=share, seed=seed)


def load_hugging_face(
    what: Any,
    *,
    target: str | None,
    ignore: Sequence[str],
    size: Size,
    classes: Sequence[str] | None,
    share: float,
    seed: int,
    progress: bool,
) -> tuple[Dataset, Dataset]:
    """A Hugging Face dataset of pictures or of columns; a `DatasetDict` brings its own test split."""
    train, test = what, None
    if isinstance(what, dict):
        if "train" not in what and len(what) != 1:
            raise NoTrainSplit(splits=", ".join(what), first=next(iter(what), ""))
        train = what["train"] if "train" in what else next(iter(what.values()))
        test = next((what[name] for name in ("test", "validation", "valid") if name in what and len(what) > 1), None)
    features = getattr(train, "features", None)
    if features is None or not hasattr(train, "__len__"):
        raise CannotLoad(kind=type(train).__name__)
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    target = target or next((name for name, kind in kinds.items() if kind == "ClassLabel"), None)
    target = target or next((name for name in ("label", "labels") if name in kinds), None)
    if target is None:
        raise TargetNeeded(columns=", ".join(kinds), nearest=list(kinds)[-1])
    if target not in kinds:
        raise NoSuchColumn(column=target, columns=", ".join(kinds), nearest=list(kinds)[-1])
    info = getattr(train, "info", None)
    name = getattr(info, "dataset_name", None) or "Hugging Face"
    card = Card(
        name=name,
        source=getattr(info, "homepage", "") or "",
        licence=getattr(info, "license", "") or "",
        citation=getattr(info, "citation", "") or "",
    )
    names = classes if classes is not None else getattr(features[target], "names", None)
    image = next((column for column, kind in kinds.items() if kind == "Image"), None)
    if image is None:
        tables = [None if one is None else _table(one, features[target], target) for one in (train, test)]
        assert tables[0] is not None
        return load_tables(
            tables[0],
            tables[1],
            target=target,
            ignore=ignore,
            classes=classes,
            name=name,
            card=card,
            share=share,
            seed=seed,
        )
    pairs = [None if one is None else _take(_Rows(one, image, target), size, progress) for one in (train, test)]
    assert pairs[0] is not None
    channels = max(_channels(one[0]) for one in pairs if one is not None)
    ready = [None if one is None else (_stack(one[0], channels), one[1]) for one in pairs]
    assert ready[0] is not None
    return splits(ready[0], ready[1], name=name, card=card, classes=names, size=size, share=share, seed=seed)


class _Rows:
    """A Hugging Face dataset of pictures as pairs."""

    def __init__(self, rows: Any, image: str, target: str) -> None:
        self.rows, self.image, self.target = rows, image, target

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        sample = self.rows[index]
        return sample[self.image], sample[self.target]


def _table(rows: Any, feature: Any, target: str) -> Table:
    """Columns of a Hugging Face dataset, class numbers as the names that they stand for."""
    columns: dict[str, Any] = {}
    truths = set()
    for name in rows.column_names:
        values = list(rows[name])
        if name == target and hasattr(feature, "names"):
            values = [feature.names[value] if value is not None and value >= 0 else None for value in values]
        columns.update(columns_of(name, values))
        if any(values) and all(value is None or isinstance(value, bool) for value in values):
            truths.add(name)
    return Table(columns, len(rows), lambda number: _("row {index}", index=number), frozenset(truths))


def _classes(dataset: Any) -> Sequence[str] | None:
    """The names that a torchvision dataset carries, also below `Subset`."""
    while dataset is not None:
        names = getattr(dataset, "classes", None)
        if names is not None and not isinstance(names, str) and len(names):
            return [str(name) for name in names]
        dataset = getattr(dataset, "dataset", None)
    return None


def _take(dataset: Any, size: Size, progress: bool) -> tuple[list[Any], NDArray[Any]]:
    """Every sample once: pictures as `uint8` or float arrays with channels first, features as rows; and the labels."""
    count = len(dataset)
    if count == 0:
        raise NoSamples(place=type(dataset).__name__)
    wanted = None if size is None else pair(size)
    inputs, labels = [], []
    title = _("Reading samples")
    with Progress(title, count, quiet=not progress or count < 5000, counts_bytes=False) as shown:
        for index in range(count):
            sample = dataset[index]
            if not isinstance(sample, (tuple, list)) or len(sample) < 2:
                raise LabelsNotClasses(found=_("sample {index} has none", index=index))
            inputs.append(_one(sample[0], wanted, index))
            labels.append(_label(sample[1], index))
            shown.advance(1)
    return inputs, np.array(labels)


def _one(value: Any, size: tuple[int, int] | None, index: int) -> Any:
    name = _("of sample {index}", index=index)
    if value is None:
        raise UnreadablePicture(path=name, reason=_("there is none"))
    if isinstance(value, dict) and {"bytes", "path"} <= value.keys():  # what Image(decode=False) gives
        value = Image.open(io.BytesIO(value["bytes"]) if value["bytes"] else value["path"])
    if hasattr(value, "getbands"):  # a Pillow image
        grey = value.getbands() in (("L",), ("1",), ("I",), ("F",), ("L", "A"))
        return decode(value, channels=1 if grey else 3, size=size, name=name).numpy()
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return array if size is None or array.ndim != 3 or array.dtype.kind not in "uif" else _resized(array, size)


def _resized(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """One picture in an array, channels first or last, at another size; numbers stay of their kind."""
    first = array if array.shape[0] in (1, 3) else array.transpose(2, 0, 1)
    pixels = torch.from_numpy(np.array(first, dtype=np.float32))
    if pixels.shape[1:] != size:
        resized = F.interpolate(pixels[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
        pixels = resized.clamp(min=float(pixels.min()), max=float(pixels.max()))
    return pixels.numpy() if array.dtype.kind == "f" else np.rint(pixels.numpy()).astype(array.dtype)


def _label(value: Any, index: int) -> Any:
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        if getattr(value, "ndim", 0) and value.reshape(-1).shape[0] != 1:
            raise LabelsNotClasses(found=_("sample {index} has several", index=index))
        return value.item()
    if isinstance(value, (int, float, str)):
        return value
    raise LabelsNotClasses(found=_("sample {index} has a {kind}", index=index, kind=type(value).__name__))


def _channels(inputs: list[Any]) -> int:
    return max((one.shape[0] for one in inputs if one.ndim == 3 and one.shape[0] in (1, 3)), default=0)


def _stack(inputs: list[Any], channels: int) -> NDArray[Any]:
    """One array of all samples; grey pictures among coloured ones become coloured."""
    first = inputs[0]
    for index, one in enumerate(inputs):
        if channels == 3 and one.ndim == 3 and one.shape[0] == 1:
            inputs[index] = one = np.repeat(one, 3, axis=0)
        if one.shape != inputs[0].shape or (one.dtype.kind == "f") != (first.dtype.kind == "f"):
            raise ShapesDiffer(
                first=_("sample {index}", index=0),
                first_shape=tuple(first.shape),
                other=_("sample {index}", index=index),
                other_shape=tuple(one.shape),
            )
    return np.stack(inputs)
