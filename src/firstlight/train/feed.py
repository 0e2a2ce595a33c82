"""What `fit` and `evaluate` are fed with: anything that gives batches of inputs and labels.

A firstlight `Dataset` slices its own batches, another map-style dataset gets a plain `DataLoader`, and a `DataLoader`
(or anything else that can be iterated again and again) is taken as it is.

Shapes: N samples, B samples in a batch, K classes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from firstlight.data.augment import augmentation
from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.locale import Text
from firstlight.train.randomness import borrowed_randomness
from firstlight.train.world import World

Batch = tuple[Any, Tensor]
Augment = str | Callable[[Any], Any]


class NotBatches(FirstlightError, TypeError):
    """The data given is nothing that batches can be taken from."""

    text = Text(
        what="No batches of inputs and labels can be taken from this {kind}.",
        why="Training reads a firstlight Dataset, a DataLoader, or another collection of (inputs, labels) that can be "
        "read again for each epoch.",
        do="Use firstlight.load(...) on your arrays, frame or folder, or put a torch Dataset into a DataLoader.",
    )


class TwoSplits(FirstlightError, TypeError):
    """Both datasets that `load` gives, where one is needed."""

    text = Text(
        what="This is a pair of two datasets, not one.",
        why="load() gives two: one to train with and one to test with.",
        do="Take it apart: train, test = firstlight.load(...), then fit(model, train, test).",
    )


class NotPairs(FirstlightError, TypeError):
    """A batch is something else than inputs with their labels."""

    text = Text(
        what="A batch is a {found}; it should be a pair (inputs, labels) with the labels as a tensor.",
        why="Each step compares what the model makes of the inputs with the labels.",
        do="Give the DataLoader a collate_fn that returns (inputs, labels), or use firstlight.load(...).",
    )


class NoSamples(FirstlightError, ValueError):
    """The data given is empty."""

    text = Text(
        what="There is not one sample in the {split} split.",
        why="The dataset is empty, or the loader drops its only batch because that one is not full.",
        do="Look at len() of the dataset, and at batch_size and drop_last of the loader.",
    )


class LabelOutOfRange(FirstlightError, ValueError):
    """A label is no class index of the model."""

    text = Text(
        what="A label is {label}, but the model knows the classes 0 to {last}.",
        why="Each label is the index of a class, counted from 0, and the model gives one score for each class.",
        do="Count the labels from 0, or give the last layer {needed} outputs.",
    )


class Feed:
    """One split, ready to be read batch by batch.

    Args:
        source: The data, in any of the forms that `fit` takes.
        size: Samples in a batch, where the source does not decide that itself.
        device: Where the batches shall be.
        shuffle: A new order for each epoch.
        augment: A function of the inputs of each batch, or a name that `Dataset.batches` knows. A `Dataset` applies it
            before its preprocessing, everything else after that.
        world: The processes that share each batch.
        split: What the data is called in messages.
    """

    def __init__(
        self,
        source: Any,
        size: int,
        device: torch.device,
        *,
        shuffle: bool = False,
        augment: Augment | None = None,
        world: World | None = None,
        split: str = "train",
    ) -> None:
        self.source = source
        self.split = split
        self.device = device
        self.world = world or World()
        self._augment = augment
        self._change = None if augment is None or isinstance(source, Dataset) else augmentation(augment, None)
        self._sharded = isinstance(
            getattr(source, "sampler", None), DistributedSampler
        )  # torchrun, done by the learner
        self.outputs: int | None = None  # how many classes the model knows: labels are held against it
        self.memory_format: torch.memory_format | None = None  # how pictures are to lie in memory
        self._size, self._shuffle = size, shuffle
        self._seen: Batch | None = None  # the batch that the first look took, until training begins
        self.batches = self._batches(size, shuffle)
        self.dataset = source if isinstance(source, Dataset) else getattr(self.batches, "dataset", None)

    @property
    def classes(self) -> Sequence[str] | None:
        """The names of the classes, where the data knows them."""
        inner = getattr(self.dataset, "dataset", None)  # what a torch Subset is a part of
        found = getattr(self.dataset, "classes", getattr(inner, "classes", None))
        return [str(name) for name in found] if isinstance(found, (list, tuple)) else None

    @property
    def samples(self) -> int | None:
        """How many samples the split holds, where that can be known without reading it."""
        dataset: Any = self.dataset
        return len(dataset) if hasattr(dataset, "__len__") else None

    def steps(self) -> int | None:
        """Batches in one epoch, or None where only reading them all would tell."""
        try:
            return len(self.batches)
        except TypeError:  # what an IterableDataset's loader answers
            return None

    def first(self) -> Batch:
        """A few samples, without disturbing the global generators or the order of the epochs to come.

        Raises:
            NoSamples: There is not one batch.
            NotPairs: A batch is no pair of inputs and labels.
        """
        with self.unnoticed():
            if isinstance(self.source, Dataset):
                few: Any = self.source.subset(range(min(4, len(self.source)))).batches(4)
            else:
                few = self.batches if self._seen is None else [self._seen]
            for batch in few:
                inputs, labels = _pair(batch)
                if len(labels):
                    few_of_them = slice(0, 4)
                    self._seen = None if isinstance(self.source, Dataset) else (inputs, labels)
                    return to(_part(inputs, few_of_them), self.device), to(labels[few_of_them], self.device)
        raise NoSamples(split=self.split)

    def full(self) -> Batch:
        """A batch as large as those of training, not augmented; the order of the epochs to come stays as it is.

        Raises:
            NoSamples: There is not one batch.
        """
        if isinstance(self.source, Dataset):
            count = len(self.source)
            size = min(self._size, count)
            if not size:
                raise NoSamples(split=self.split)
            spread = torch.arange(size) * count // size  # from everywhere, as the samples may be sorted by class
            with self.unnoticed():
                inputs, labels = _pair(next(iter(self.source.subset(spread).batches(size, device=self.device))))
            return inputs, labels
        if self._seen is None:
            self.first()
        assert self._seen is not None  # first() raises otherwise
        return to(self._seen[0], self.device), to(self._seen[1], self.device)

    @property
    def size(self) -> int:
        """Samples in a batch: what was asked for, or what the loader gives."""
        if isinstance(self.source, Dataset):
            return min(self._size, len(self.source))
        return self._size if self._seen is None else len(self._seen[1])

    def arrange(self, memory_format: torch.memory_format) -> None:
        """From now on pictures, tensors of four dimensions, lie in memory in this way."""
        self._seen = None  # training begins
        if memory_format == torch.contiguous_format:
            return
        self.memory_format = memory_format
        if isinstance(self.source, Dataset):
            self.batches = self._batches(self._size, self._shuffle)

    def labels(self) -> Tensor:
        """Every label of the split. Shape: (N,)."""
        for name in ("labels", "targets"):
            found = getattr(self.dataset, name, None)
            if found is not None and len(found) == self.samples:
                return torch.as_tensor(found).cpu()
        with self.unnoticed():
            return torch.cat([_pair(batch)[1].cpu() for batch in self.batches])

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            inputs, labels = _pair(batch)
            if self.outputs is not None and not isinstance(self.source, Dataset):
                _in_range(labels, self.outputs)
            yield self._arranged(to(inputs, self.device)), to(labels, self.device)

    def _arranged(self, inputs: Any) -> Any:
        if self.memory_format is None or not isinstance(inputs, Tensor) or inputs.ndim != 4:
            return inputs
        return inputs.contiguous(memory_format=self.memory_format)

    def shards(
        self, class_weights: Tensor | None = None, *, whole: bool = False
    ) -> Iterator[tuple[Any, Tensor, Tensor | None]]:
        """Batches as (inputs, labels, share).

        Under torchrun each process takes every `size`-th sample of each batch, so that all of them together compute
        what one process would. `share` says how much this process' part counts beside the average part, as the
        gradients are averaged: 1 where the parts are equal. It is None where one process trains alone.

        Args:
            class_weights: How much a sample of each class counts in the loss. Shape: (K,).
            whole: Take a rest too that is smaller than the number of processes. Training skips it, as a process
                without a sample has no gradient.
        """
        world = self.world
        for inputs, labels in self:
            if self._change is not None:
                inputs = self._arranged(self._change(inputs))
            if world.alone or self._sharded:
                yield inputs, labels, None
                continue
            mine = slice(world.rank, None, world.size)
            weights = torch.ones(len(labels), device=self.device)
            if class_weights is not None:
                weights = class_weights[labels]
            if len(labels) >= world.size or (whole and len(labels[mine])):
                yield _part(inputs, mine), labels[mine], weights[mine].sum() * world.size / weights.sum()

    def start_epoch(self, epoch: int) -> None:
        """Tell a `DistributedSampler` which epoch it is, as it shuffles by that number."""
        if self._sharded:
            self.source.sampler.set_epoch(epoch)

    @contextmanager
    def unnoticed(self) -> Iterator[None]:
        """A look at the data that leaves every generator, the loader's own included, where it was."""
        generator = getattr(self.source, "generator", None)
        state = generator.get_state() if generator is not None else None
        try:
            with borrowed_randomness():
                yield
        finally:
            if generator is not None:
                generator.set_state(state)

    def _batches(self, size: int, shuffle: bool) -> Any:
        source = self.source
        if isinstance(source, Dataset):
            # One sample alone has no variance: BatchNorm cannot train on it, so such a rest is left out.
            rest_of_one = shuffle and len(source) > size and len(source) % size == 1
            augment = self._augment if shuffle else None
            return source.batches(
                size,
                shuffle=shuffle,
                augment=augment,
                device=self.device,
                drop_last=rest_of_one,
                memory_format=self.memory_format,
            )
        if isinstance(source, (tuple, list)) and source and all(isinstance(one, Dataset) for one in source):
            raise TwoSplits
        if isinstance(source, (str, bytes, dict, Tensor, tuple, nn.Module)):
            raise NotBatches(kind=type(source).__name__)
        if isinstance(source, torch.utils.data.Dataset):
            return DataLoader(source, size, shuffle=shuffle and not isinstance(source, IterableDataset))
        if not isinstance(source, Iterable) or isinstance(source, Iterator):  # an iterator ends with the first epoch
            raise NotBatches(kind=type(source).__name__)
        return source


def to(value: Any, device: torch.device) -> Any:
    """Move tensors to a device, inside lists, tuples and dictionaries too; leave everything else alone."""
    if isinstance(value, Tensor):
        # Only where it is safe: MPS reads from memory that Python has given away by then (pytorch#189690).
        return value.to(device, non_blocking=device.type == "cuda")
    if isinstance(value, dict):
        return {key: to(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
        return type(value)(to(item, device) for item in value)
    return value


def _pair(batch: Any) -> Batch:
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and isinstance(batch[1], Tensor):
        inputs, labels = batch
        whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
        return inputs, labels.long() if whole else labels  # int64: what cross-entropy reads
    found = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        found += "(" + ", ".join(type(item).__name__ for item in batch) + ")"
    raise NotPairs(found=found)


def _in_range(labels: Tensor, outputs: int) -> None:
    wrong = labels[(labels < 0) | (labels >= outputs)]
    if len(wrong):
        label = int(wrong[0])
        raise LabelOutOfRange(label=label, last=outputs - 1, needed=max(label, outputs - 1) + 1)


def _part(inputs: Any, part: slice) -> Any:
    if isinstance(inputs, dict):
        return {key: _part(value, part) for key, value in inputs.items()}
    if isinstance(inputs, (list, tuple)) and any(isinstance(value, Tensor) for value in inputs):
        return type(inputs)(_part(value, part) for value in inputs)  # several inputs, not several samples
    return inputs[part]
