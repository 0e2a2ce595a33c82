"""Samples with labels, and the batches that training takes from them.

Shapes: N samples, B batch, C channels, H height, W width, F features.
"""

import copy
import numbers
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.utils.data
from torch import Tensor, nn

from firstlight.data.augment import NAMED, Augment, augmentation
from firstlight.data.card import Card
from firstlight.data.errors import BadAugment, BadBatch, BadPositions, BadSeed, BadShare
from firstlight.locale import _

if TYPE_CHECKING:
    from firstlight.data.trees import Tree

Inputs = Tensor | list["Tree"]


class Dataset(torch.utils.data.Dataset[tuple[Any, int]]):
    """Samples with labels, held in memory as whole tensors.

    `load` makes them. A `Dataset` is also a map-style PyTorch dataset, so `torch.utils.data.DataLoader` accepts it;
    `batches` gives the same samples faster, because it slices whole tensors.

    Attributes:
        inputs: Pictures `(N, C, H, W)` as `uint8`, features `(N, F)` as `float32`, or a list of expression trees.
        labels: Class indices `(N,)`, `int64`.
        classes: The names of the classes; a label is a position in here.
        preprocess: From raw inputs to what a model reads, with statistics of the training split. Train and test share
            it.
        card: Source, licence, citation.
        name: What the dataset is called.
        split: "train" or "test".
        columns: The names of the features, for tables.

    Example:
        >>> from firstlight.data import load
        >>> train, test = load("fashion_mnist_small")
        >>> train
        fashion_mnist_small (train): 10,000 pictures of 28 × 28 pixels in grey, 10 classes: T-shirt/top, ...
        >>> image, label = train[0]
        >>> image.shape, image.dtype, train.classes[label] in train.classes
        (torch.Size([1, 28, 28]), torch.float32, True)
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: Tensor,
        classes: Sequence[str],
        *,
        name: str,
        split: str = "train",
        preprocess: nn.Module | None = None,
        card: Card | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        self.inputs = inputs
        self.labels = labels
        self.classes = tuple(classes)
        self.name = name
        self.split = split
        self.preprocess = preprocess if preprocess is not None else nn.Identity()
        self.card = card if card is not None else Card(name=name)
        self.columns = tuple(columns)

    @property
    def kind(self) -> str:
        """What one input is: "picture", "features" or "tree"."""
        if not isinstance(self.inputs, Tensor):
            return "tree"
        return "picture" if self.inputs.ndim == 4 else "features"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """One sample as a model reads it, and its label; for a slice or a list of positions, a batch of both."""
        if isinstance(index, (slice, list, range, np.ndarray)) or (isinstance(index, Tensor) and index.ndim):
            part = self.subset(index)
            return self.preprocess(part.inputs), part.labels
        try:
            position = range(len(self))[operator.index(index)]  # counts from the end where negative
        except (TypeError, IndexError) as error:
            raise BadPositions(count=len(self), found=repr(index), last=len(self) - 1) from error
        return self.__getitems__([position])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, int]]:
        """Several samples at once; `DataLoader` calls this, which is faster than one by one."""
        inputs, labels = self.take(torch.as_tensor(indices, dtype=torch.int64))
        return list(zip(self.preprocess(inputs), labels.tolist(), strict=True))

    def take(self, indices: Tensor | slice) -> tuple[Inputs, Tensor]:
        """Raw inputs and labels at these positions."""
        if isinstance(self.inputs, Tensor):
            return self.inputs[indices], self.labels[indices]
        if isinstance(indices, slice):
            return self.inputs[indices], self.labels[indices]
        return [self.inputs[i] for i in indices.tolist()], self.labels[indices]

    def batches(
        self,
        size: int,
        *,
        shuffle: bool = False,
        augment: str | Augment | None = None,
        device: torch.device | str | None = None,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> "Batches":
        """Batches of prepared inputs and labels, to loop over as often as wanted.

        Args:
            size: Samples per batch; the last batch may be smaller.
            shuffle: A new order in each pass. It comes from torch's global random numbers, so `torch.manual_seed`
                makes it repeatable.
            augment: A change to the raw inputs of each batch, before `preprocess`: "flip", "shift", "flip+shift", or a
                function.
            device: Where the batches are to be.
            drop_last: Leave out a last batch that is smaller than the others.
            seed: Random numbers of its own instead of the global ones. The first pass over the batches made with the
                same seed is always the same.

        Shape:
            inputs: (B, C, H, W) or (B, F), `float32`
            labels: (B,), `int64`

        Raises:
            BadBatch: The size gives no batch at all.
            BadAugment: The augmentation is unknown, or does not fit these inputs.

        Example:
            >>> from firstlight.data import load
            >>> train, test = load("fashion_mnist_small")
            >>> for images, labels in train.batches(128, shuffle=True):
            ...     pass
            >>> images.shape, labels.shape  # 10,000 = 78 * 128 + 16
            (torch.Size([16, 1, 28, 28]), torch.Size([16]))
        """
        return Batches(self, size, shuffle=shuffle, augment=augment, device=device, drop_last=drop_last, seed=seed)

    def subset(self, indices: Any) -> "Dataset":
        """A dataset of some of the samples.

        Args:
            indices: Positions (a list, a tensor, a range), a slice, or one True or False per sample.

        Raises:
            BadPositions: One of them is not in the dataset.

        Example:
            >>> from firstlight.data import load
            >>> train, test = load("fashion_mnist_small")
            >>> shoes = train.subset(train.labels == train.classes.index("Sneaker"))
            >>> len(shoes)
            1000
        """
        if not isinstance(indices, slice):
            indices = self._as_positions(indices)
            if indices.dtype == torch.bool:
                if indices.shape != self.labels.shape:
                    raise BadPositions(count=len(self), found=f"{len(indices)} × True/False", last=len(self) - 1)
                indices = indices.nonzero().flatten()
            if indices.is_floating_point() and indices.numel():
                raise BadPositions(count=len(self), found=float(indices.flatten()[0]), last=len(self) - 1)
            indices = indices.to(torch.int64).flatten()
            beyond = indices[(indices < -len(self)) | (indices >= len(self))]
            if len(beyond):
                raise BadPositions(count=len(self), found=int(beyond[0]), last=len(self) - 1)
        inputs, labels = self.take(indices)
        part = copy.copy(self)
        part.inputs, part.labels = inputs, labels
        return part

    def _as_positions(self, indices: Any) -> Tensor:
        try:
            if isinstance(indices, np.ndarray):
                return torch.as_tensor(indices.copy())  # a view that counts backwards is nothing to torch
            return torch.as_tensor(indices if isinstance(indices, (Tensor, int)) else list(indices))
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadPositions(count=len(self), found=repr(indices), last=len(self) - 1) from error

    def split_off(self, share: float, seed: int = 0) -> tuple["Dataset", "Dataset"]:
        """Split into two, each class in the same proportion: `(rest, part)`.

        Args:
            share: The share of samples in `part`, between 0.0 and 1.0.
            seed: Which samples; the same seed gives the same split.

        Raises:
            BadShare: One of the two would be empty.

        Example:
            >>> from firstlight.data import load
            >>> train, test = load("fashion_mnist_small")
            >>> rest, validation = train.split_off(0.1)
            >>> len(rest), len(validation)
            (9000, 1000)
        """
        rest, part = stratified_split(self.labels, share, seed)
        return self.subset(rest), self.subset(part)

    def __repr__(self) -> str:
        names = ", ".join(self.classes[:3]) + (", ..." if len(self.classes) > 3 else "")
        values = {
            "name": self.name,
            "split": self.split,
            "count": f"{len(self):,}",
            "k": len(self.classes),
            "names": names,
        }
        if not isinstance(self.inputs, Tensor):
            return _("{name} ({split}): {count} expression trees, {k} classes: {names}", **values)
        if self.inputs.ndim == 2:
            values["features"] = self.inputs.shape[1]
            return _("{name} ({split}): {count} rows of {features} features, {k} classes: {names}", **values)
        values["height"], values["width"] = self.inputs.shape[2:]
        if self.inputs.shape[1] == 1:
            return _(
                "{name} ({split}): {count} pictures of {height} × {width} pixels in grey, {k} classes: {names}",
                **values,
            )
        return _(
            "{name} ({split}): {count} pictures of {height} × {width} pixels in colour, {k} classes: {names}", **values
        )


class Batches:
    """What `Dataset.batches` returns: each loop over it is one pass over the samples."""

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        *,
        shuffle: bool = False,
        augment: str | Augment | None = None,
        device: torch.device | str | None = None,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise BadBatch(size=repr(size), count=len(dataset))
        if drop_last and size > len(dataset):
            raise BadBatch(size=size, count=len(dataset))
        if isinstance(augment, str) and dataset.kind != "picture":
            raise BadAugment(name=augment, names=", ".join(NAMED))
        self.dataset = dataset
        self.size = int(size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.device = torch.device(device) if device is not None else None
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.augment = None if augment is None else augmentation(augment, self.generator)
        self._augment_fits = False
        # Trees and the CPU need no copy; elsewhere the statistics must stand beside the pixels.
        self._preprocess = dataset.preprocess
        if self.device is not None and self.device.type != "cpu":
            self._preprocess = copy.deepcopy(dataset.preprocess).to(self.device)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        count = len(self.dataset)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else None
        for batch in range(len(self)):
            chosen = slice(batch * self.size, min((batch + 1) * self.size, count))
            inputs, labels = self.dataset.take(chosen if order is None else order[chosen])
            yield self._prepare(inputs), labels if self.device is None else labels.to(self.device)

    def _prepare(self, inputs: Inputs) -> Any:
        """Raw pixels travel to the device, a quarter of the bytes; the rest happens there."""
        count = len(inputs)
        if isinstance(inputs, Tensor) and self.device is not None:
            # MPS would go on reading from these rows after Python has given their memory away (pytorch#189690).
            inputs = inputs.to(self.device, non_blocking=self.device.type == "cuda")
        if self.augment is not None and isinstance(inputs, Tensor):
            changed = self.augment(inputs)
            if not isinstance(changed, Tensor) or len(changed) != count or not self._fits(inputs, changed):
                raise BadAugment(name=getattr(self.augment, "__name__", repr(self.augment)), names=", ".join(NAMED))
            inputs = changed
        return self._preprocess(inputs)

    def _fits(self, inputs: Tensor, changed: Tensor) -> bool:
        """Whether `preprocess` can take what an augmentation made. Pixels are looked at once: that waits for a GPU."""
        if inputs.ndim == 2:
            return changed.shape == inputs.shape
        if not self._augment_fits and changed.is_floating_point() and not inputs.is_floating_point():
            self._augment_fits = not bool(changed.max() <= 1 < inputs.max())  # scaled to 0..1, which preprocess does
            return self._augment_fits and changed.ndim == 4
        return changed.ndim == 4


def check_share(share: Any, count: object) -> None:
    """Raise `BadShare` for what is no share between 0.0 and 1.0."""
    if not isinstance(share, numbers.Real) or not 0.0 < float(share) < 1.0:
        raise BadShare(share=share if isinstance(share, numbers.Real) else repr(share), count=count)


def stratified_split(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Positions for two parts with the classes in the same proportion: `(rest, part)`, both in ascending order.

    A class with two samples or more is in both parts where the share allows; a single sample stays in the rest.

    Raises:
        BadShare: One of the two would be empty.
    """
    count = len(labels)
    check_share(share, count)
    try:
        random = torch.Generator().manual_seed(operator.index(seed))
    except (TypeError, ValueError, RuntimeError) as error:  # no whole number, or one of more than 64 bits
        raise BadSeed(seed=repr(seed)) from error
    chosen = torch.zeros(count, dtype=torch.bool)
    for label in range(int(labels.max()) + 1 if count else 0):
        places = (labels == label).nonzero().flatten()
        if len(places) == 0:
            continue
        wanted = min(max(round(share * len(places)), 1), len(places) - 1)
        chosen[places[torch.randperm(len(places), generator=random)[:wanted]]] = True
    rest, part = (~chosen).nonzero().flatten(), chosen.nonzero().flatten()
    if len(rest) == 0 or len(part) == 0:
        raise BadShare(share=share, count=count)
    return rest, part
