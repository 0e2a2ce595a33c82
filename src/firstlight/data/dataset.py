"""Samples with labels, and the batches that training takes from them.

Shapes: N samples, B batch, C channels, H height, W width, F features.
"""

import copy
import numbers
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.utils.data
from torch import Tensor, nn

from firstlight.data.augment import NAMED, Augment, Change, Draws, ForSamples, chosen, new_seed
from firstlight.data.card import Card
from firstlight.data.errors import BadAugment, BadBatch, BadPositions, BadSeed, BadShare
from firstlight.data.store import Inputs, Store
from firstlight.locale import _

_KEPT_WHOLE_FROM = 16  # a part of at least a sixteenth shares the whole


class Dataset(torch.utils.data.Dataset[tuple[Any, int]]):
    """Samples with labels, held in memory as whole tensors.

    `load` makes them. A `Dataset` is also a map-style PyTorch dataset, so `torch.utils.data.DataLoader` accepts it;
    `batches` gives the same samples faster, because it slices whole tensors.

    Attributes:
        inputs: Pictures `(N, C, H, W)` as `uint8`, features `(N, F)` as `float32`, or a list of expression trees. A
            part of another dataset shares its inputs until this is asked for; then it gets a copy of its own rows.
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
        self._store = Store(inputs)
        self._rows: Tensor | None = None  # which samples of the store are ours, where not all of them are
        self.labels = labels
        self.classes = tuple(classes)
        self.name = name
        self.split = split
        self.preprocess = preprocess if preprocess is not None else nn.Identity()
        self.card = card if card is not None else Card(name=name)
        self.columns = tuple(columns)

    @property
    def inputs(self) -> Inputs:
        """See the class."""
        if self._rows is not None and isinstance(self._store.inputs, Tensor):
            self.inputs = self._store.inputs.index_select(0, self._rows)
        return self._store.inputs

    @inputs.setter
    def inputs(self, inputs: Inputs) -> None:
        self._store, self._rows = Store(inputs), None

    @property
    def kind(self) -> str:
        """What one input is: "picture", "features" or "tree"."""
        if not isinstance(self._store.inputs, Tensor):
            return "tree"
        return "picture" if self._store.inputs.ndim == 4 else "features"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one raw input: (C, H, W) or (F,); () for a tree."""
        return tuple(self._store.inputs.shape[1:]) if isinstance(self._store.inputs, Tensor) else ()

    def __getstate__(self) -> dict[str, Any]:
        """What copies and other processes get: its own samples only, and nothing that lies on a device."""
        state = self.__dict__ | {"_rows": None}
        state["_store"] = Store(self.inputs if self._rows is None else self.take(slice(None))[0])
        return state

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """One sample as a model reads it, and its label; for a slice or a list of positions, a batch of both."""
        if isinstance(index, (slice, list, range, np.ndarray)) or (isinstance(index, Tensor) and index.ndim):
            part = self.subset(index)
            return _apart(self.preprocess(part.inputs), part.inputs), part.labels
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
        if isinstance(indices, Tensor) and indices.dtype == torch.bool:
            indices = indices.nonzero().flatten()
        inputs, rows = self._store.inputs, indices if self._rows is None else self._rows[indices]
        if isinstance(rows, slice):
            return inputs[rows], self.labels[rows].clone()  # a loop may change the labels that it is given
        if not isinstance(inputs, Tensor):
            return [inputs[i] for i in rows.tolist()], self.labels[indices]
        # Copies whole samples, where inputs[rows] would look up one byte after the other. It knows no negative rows.
        rows = torch.where(rows < 0, rows + len(inputs), rows)
        return inputs.index_select(0, rows), self.labels[indices]

    def batches(
        self,
        size: int,
        *,
        shuffle: bool = False,
        augment: str | Augment | None = None,
        device: torch.device | str | None = None,
        drop_last: bool = False,
        seed: int | None = None,
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
    ) -> "Batches":
        """Batches of prepared inputs and labels, to loop over as often as wanted.

        Args:
            size: Samples per batch; the last batch may be smaller.
            shuffle: A new order in each pass. It comes from torch's global random numbers, so `torch.manual_seed`
                makes it repeatable.
            augment: A change to the raw inputs of each batch, before `preprocess`: "flip", "alternating-flip", "shift",
                "cutout", "colour", several joined by "+", what the functions in `firstlight.data.augment` make, an
                object with `for_samples(pictures, positions, turn)`, or a function.
            device: Where the batches are to be. An accelerator with enough memory gets the raw data once; order,
                changes and preparation then happen there.
            drop_last: Leave out a last batch that is smaller than the others.
            seed: Random numbers of its own instead of the global ones. The first pass over the batches made with the
                same seed is always the same.
            dtype: The type of the prepared inputs, instead of `float32`.
            memory_format: How prepared pictures lie in memory: `torch.channels_last` is what convolutions in
                `bfloat16` like best.

        Shape:
            inputs: (B, C, H, W) or (B, F), `float32` or `dtype`
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
        return Batches(
            self,
            size,
            shuffle=shuffle,
            augment=augment,
            device=device,
            drop_last=drop_last,
            seed=seed,
            dtype=dtype,
            memory_format=memory_format,
        )

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
        part = copy.copy(self)
        if self.kind == "tree" or isinstance(indices, slice):
            part.inputs, part.labels = self.take(indices)
            return part
        part.labels = self.labels[indices]
        part._store = self._store  # shared: a copy would hold most of the data twice
        rows = indices % max(len(self), 1)
        part._rows = rows if self._rows is None else self._rows[rows]
        if _KEPT_WHOLE_FROM * len(rows) < len(self._store.inputs):  # a small part should not keep a large whole alive
            part.inputs = part.take(slice(None))[0]
        return part

    def __copy__(self) -> "Dataset":
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

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
        if self.kind == "tree":
            return _("{name} ({split}): {count} expression trees, {k} classes: {names}", **values)
        if self.kind == "features":
            values["features"] = self.shape[0]
            return _("{name} ({split}): {count} rows of {features} features, {k} classes: {names}", **values)
        values["height"], values["width"] = self.shape[1:]
        if self.shape[0] == 1:
            return _(
                "{name} ({split}): {count} pictures of {height} × {width} pixels in grey, {k} classes: {names}",
                **values,
            )
        return _(
            "{name} ({split}): {count} pictures of {height} × {width} pixels in colour, {k} classes: {names}", **values
        )


class Batches:
    """What `Dataset.batches` returns: each loop over it is one pass over the samples.

    Attributes:
        turn: How many passes there were, from first to last batch. One that is broken off does not count, so a look at
            the first batch changes nothing.
    """

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
        dtype: torch.dtype | None = None,
        memory_format: torch.memory_format | None = None,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise BadBatch(size=repr(size), count=len(dataset))
        if drop_last and size > len(dataset):
            raise BadBatch(size=size, count=len(dataset))
        if isinstance(augment, (str, Change)) and dataset.kind != "picture":
            raise BadAugment(name=augment if isinstance(augment, str) else repr(augment), names=", ".join(NAMED))
        self.dataset = dataset
        self.size = int(size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.device = torch.device(device) if device is not None else None
        self.dtype = dtype
        self.memory_format = memory_format
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.augment = None if augment is None else chosen(augment)
        self.turn = 0
        self._seed = 0  # of the named changes; drawn in the first pass
        self._augment_fits = False
        # Trees and the CPU need no copy; elsewhere the statistics must stand beside the pixels.
        self._preprocess = dataset.preprocess
        if self.device is not None and self.device.type != "cpu":
            self._preprocess = copy.deepcopy(dataset.preprocess).to(self.device)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint keeps of the passes so far; the generators are kept apart."""
        return {"turn": self.turn, "seed": self._seed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on as after those passes."""
        self.turn, self._seed = state["turn"], state["seed"]

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        count, turn = len(self.dataset), self.turn
        # Everything that chance decides is drawn here, on the CPU: the same on every device. A model that draws
        # numbers too, for dropout, cannot change what the next batch will be.
        order = torch.randperm(count, generator=self.generator) if self.shuffle else None
        seed, draws = self._seed, None
        if isinstance(self.augment, Change):
            seed = new_seed(self.generator) if turn == 0 else seed
            draws = self.augment.draw(seed, torch.arange(count) if order is None else order, turn)
        source = _Source(self.dataset, order, draws, self.device)
        for batch in range(len(self)):
            inputs, labels, positions, drawn = source.batch(slice(batch * self.size, (batch + 1) * self.size))
            if 0 < batch == len(self) - 1:  # `zip(range(n), batches)` does not ask whether there is another one
                self.turn, self._seed = turn + 1, seed
            yield self._prepare(inputs, positions, drawn, turn), labels
        self.turn, self._seed = turn + 1, seed

    def _prepare(self, inputs: Inputs, positions: Tensor, drawn: Draws | None, turn: int) -> Any:
        given = inputs
        if isinstance(inputs, Tensor) and self.augment is not None:
            # What is sliced in order is the dataset's own memory, and a function may write into what it is given.
            own = self.shuffle or isinstance(self.augment, Change)
            inputs = self._changed(inputs if own else inputs.clone(), positions, drawn, turn)
        prepared = _laid_out(self._preprocess(inputs), self.dtype, self.memory_format)
        return prepared if self.shuffle else _apart(prepared, given)

    def _changed(self, inputs: Tensor, positions: Tensor, drawn: Draws | None, turn: int) -> Tensor:
        if isinstance(self.augment, Change) and drawn is not None:
            return self.augment.apply(inputs, drawn)
        if isinstance(self.augment, ForSamples):
            changed = self.augment.for_samples(inputs, positions, turn)
        else:
            changed = cast(Callable[[Tensor], Tensor], self.augment)(inputs)
        if not isinstance(changed, Tensor) or len(changed) != len(inputs) or not self._fits(inputs, changed):
            raise BadAugment(name=getattr(self.augment, "__name__", repr(self.augment)), names=", ".join(NAMED))
        return changed

    def _fits(self, inputs: Tensor, changed: Tensor) -> bool:
        """Whether `preprocess` can take what an augmentation made. Pixels are looked at once: that waits for a GPU."""
        if inputs.ndim == 2:
            return changed.shape == inputs.shape
        if not self._augment_fits and changed.is_floating_point() and not inputs.is_floating_point():
            self._augment_fits = not bool(changed.max() <= 1 < inputs.max())  # scaled to 0..1, which preprocess does
            return self._augment_fits and changed.ndim == 4
        return changed.ndim == 4


class _Source:
    """Raw batches of one pass: sliced on the accelerator where the data lies there already, else moved one by one."""

    def __init__(
        self, dataset: Dataset, order: Tensor | None, draws: Draws | None, device: torch.device | None
    ) -> None:
        self.dataset, self.order, self.draws = dataset, order, draws
        self.device = None if device is None or device.type == "cpu" else device
        self.resident: Tensor | None = None
        if self.device is None:
            return
        # Moved once for the whole pass: 8 bytes for a sample. A small copy in each step would wait for the device.
        self.labels = dataset.labels.to(self.device)
        self.positions = torch.arange(len(dataset)) if order is None else order
        rows = self.positions if dataset._rows is None else dataset._rows[self.positions]
        self.resident = dataset._store.on(self.device, len(dataset))
        self.rows = rows.to(self.device) if self.resident is not None else rows
        self.there = self.positions.to(self.device)
        self.draws = None if draws is None else tuple(one.to(self.device) for one in draws)

    def batch(self, places: slice) -> tuple[Inputs, Tensor, Tensor, Draws | None]:
        """Inputs, labels, positions in the dataset, and what was drawn for the samples at these places of the pass."""
        drawn = None if self.draws is None else tuple(one[places] for one in self.draws)
        if self.device is None:
            if self.order is None:
                last = min(places.stop, len(self.dataset))
                return *self.dataset.take(slice(places.start, last)), torch.arange(places.start, last), drawn
            return *self.dataset.take(self.order[places]), self.order[places], drawn
        labels, positions = self.labels.index_select(0, self.there[places]), self.there[places]
        if self.resident is not None:
            return self.resident.index_select(0, self.rows[places]), labels, positions, drawn
        inputs, _labels = self.dataset.take(self.positions[places])
        if isinstance(inputs, Tensor):
            # Raw pixels travel, a quarter of the bytes. From pinned memory the processor need not wait for it. MPS
            # would go on reading from these rows after Python has given their memory away (pytorch#189690).
            cuda = self.device.type == "cuda"
            inputs = (inputs.pin_memory() if cuda else inputs).to(self.device, non_blocking=cuda)
        return inputs, labels, positions, drawn


def _apart(prepared: Any, raw: Any) -> Any:
    """The same, in memory of its own: a loop may change its batch, and the dataset stays as it is."""
    if not isinstance(prepared, Tensor) or not isinstance(raw, Tensor):
        return prepared
    shared = prepared.untyped_storage().data_ptr() == raw.untyped_storage().data_ptr()
    return prepared.clone() if shared else prepared


def _laid_out(prepared: Any, dtype: torch.dtype | None, memory_format: torch.memory_format | None) -> Any:
    """Prepared inputs in the wanted type and memory format, where they are tensors."""
    if not isinstance(prepared, Tensor):
        return prepared
    prepared = prepared if dtype is None else prepared.to(dtype)
    if memory_format is None or prepared.ndim != 4:
        return prepared
    if memory_format != torch.channels_last or prepared.device.type != "cpu" or prepared.shape[1] > 4:
        return prepared.contiguous(memory_format=memory_format)
    laid_out = torch.empty_like(prepared, memory_format=memory_format)
    for channel in range(prepared.shape[1]):  # a plane at a time is four times faster than torch's own rearrangement
        laid_out[:, channel] = prepared[:, channel]
    return laid_out


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
