"""Whether a step has room in memory, said before training starts, and how much memory training took.

A step on a handful of samples is run under a mode that sees each tensor appear and vanish: `live` is what it holds
after each operation. Two and four samples give two such curves; what they differ by is what two samples cost, at each
operation. So the curve of any batch is known, and its highest point is what a step needs.

Shapes: B samples in a batch, P operations in a step.
"""

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Optimizer
from torch.utils._pytree import tree_leaves, tree_map_only

from firstlight.compat import wants_memory
from firstlight.errors import FirstlightError
from firstlight.locale import Text, units
from firstlight.train.alive import Alive
from firstlight.train.cgroup import memory_left
from firstlight.train.check import unchanged

_LEAVE = 0.25  # of what is free: the suggested size leaves it, as allocators hold pages that they do not use
_CERTAINLY = 0.9  # of a forecast: less than it may be too much, but only more than what is free is said to be
_PLENTY = 0.5  # of what is free: a first, high estimate below it ends the question


class BatchTooLarge(FirstlightError, MemoryError):
    """A step on one batch needs more memory than there is."""

    text = Text(
        what="A batch of {size} does not fit into memory: a step needs about {need}, and {have} are free.",
        why="Until the backward pass, a step keeps what each layer computed for each sample of its batch.",
        do="Use batch_size={fits} or less.",
    )


class ModelTooLarge(FirstlightError, MemoryError):
    """Not even one sample fits."""

    text = Text(
        what="Training this model takes about {need} of memory for a single sample, and {have} are free.",
        why="Besides its {parameters} parameters, a model in training needs their gradients, what the optimizer keeps "
        "for each of them, and what each layer computes.",
        do="Take a smaller model or smaller inputs, or close other programs.",
    )


class MemoryRanOut(BatchTooLarge):
    """There was no memory left in the middle of training."""

    text = Text(
        what="Memory ran out while training on batches of {size}.",
        why="Until the backward pass, a step keeps what each layer computed for each sample of its batch. "
        "PyTorch says: {error}",
        do="Try batch_size={fits}, and close what else holds memory.",
    )


@dataclass(frozen=True)
class Forecast:
    """What a training step will hold above what is held before it.

    Attributes:
        fixed: Bytes for gradients and optimizer state.
        curve: Bytes that the operations hold, at each of them: those without samples, and those for each sample.
        each: Bytes of one sample in the batch itself.
    """

    fixed: int
    curve: tuple[tuple[float, float], ...]
    each: float

    def bytes(self, batch_size: int) -> int:
        """The most that a step on so many samples holds at one time."""
        most = max((start + per_sample * batch_size for start, per_sample in self.curve), default=0.0)
        # Twice: the next batch is made while the last one is still there.
        return int(self.fixed + most + 2 * self.each * batch_size)

    def fits(self, room: int) -> int:
        """The largest batch whose step needs no more than `room` bytes; 0 if there is none."""
        low, high = 0, 1
        while self.bytes(high) <= room and high < 2**40:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.bytes(middle) <= room else (low, middle)
        return low


def forecast(
    model: nn.Module,
    batch: tuple[Any, Tensor],
    loss: Callable[[Any, Tensor], Tensor],
    optimizer: Optimizer,
    *,
    precision: torch.dtype = torch.float32,
) -> Forecast:
    """What a training step will hold, found with two and with four samples.

    Weights, gradients, buffers, modes and random generators are as before afterwards.

    Args:
        model: On its device.
        batch: A few samples of a batch, on that device.
        loss: The loss function.
        optimizer: What will make the step; it does not make one here.
        precision: `torch.bfloat16` for a forward pass under autocast.

    Example:
        >>> model = nn.Linear(1000, 10)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
        >>> batch = torch.randn(2, 1000), torch.tensor([0, 1])
        >>> found = forecast(model, batch, nn.functional.cross_entropy, optimizer)
        >>> found.fixed == 4 * (1000 * 10 + 10), found.bytes(256) > found.bytes(128)
        (True, True)
    """
    with unchanged(model):
        model.train()
        two = _curve(model, _samples(batch, 2), loss, precision)
    return _forecast(model, batch, loss, optimizer, precision, two)


def _forecast(
    model: nn.Module,
    batch: tuple[Any, Tensor],
    loss: Callable[[Any, Tensor], Tensor],
    optimizer: Optimizer,
    precision: torch.dtype,
    two: list[float],
) -> Forecast:
    with unchanged(model):
        model.train()
        four = _curve(model, _samples(batch, 4), loss, precision)
    if len(two) != len(four):  # the model takes another way with other samples
        two, four = [max(two)], [max(four)]
    curve = {(2 * few - many, max(0.0, (many - few) / 2)) for few, many in zip(two, four, strict=True)}
    return Forecast(_fixed(optimizer), tuple(curve), _bytes_of(batch) / len(batch[1]))


def require_room(
    model: nn.Module,
    batch: tuple[Any, Tensor],
    loss: Callable[[Any, Tensor], Tensor],
    optimizer: Optimizer,
    batch_size: int,
    device: torch.device | str | None = None,
    *,
    precision: torch.dtype = torch.float32,
) -> None:
    """Raise an error where a step on a batch of this size would not fit into memory.

    It says nothing where it is unsure: a forecast that is up to a tenth above what is free passes, and so does a model
    that cannot be looked at in this way. The size that it suggests leaves a quarter of it free.

    Args:
        model: On its device.
        batch: A few samples of a batch, on that device.
        loss: The loss function.
        optimizer: What will make the step; it does not make one here.
        batch_size: Samples of the largest batch.
        device: Where the model is; by default where its first parameter is.
        precision: `torch.bfloat16` for a forward pass under autocast.

    Raises:
        BatchTooLarge: A smaller batch would fit; `values["fits"]` says which.
        ModelTooLarge: Not even one sample fits.
    """
    place = torch.device(device) if device is not None else next(model.parameters()).device
    free = free_memory(place)
    if free is None:
        return
    try:
        with unchanged(model):
            model.train()
            # A step on two samples, taken as often as the batch is larger, is more than the batch needs: the part that
            # does not grow is counted many times.
            two = _curve(model, _samples(batch, 2), loss, precision)
            bound = max(two) * max(1.0, batch_size / 2)
        fixed, each = _fixed(optimizer), _bytes_of(batch) / len(batch[1])
        if bound + fixed + 2 * each * batch_size < _PLENTY * free:
            return
        found = _forecast(model, batch, loss, optimizer, precision, two)
    except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError, AssertionError):
        return  # a model that does not go with the mode: `fit` says in its own words what is wrong, if anything is
    need = found.bytes(batch_size)
    if _CERTAINLY * need <= free:
        return
    fits = min(found.fits(int(free * (1 - _LEAVE))), batch_size - 1)
    if fits:
        raise BatchTooLarge(size=f"{batch_size:,}", fits=fits, need=units.size(need), have=units.size(free))
    parameters = sum(weight.numel() for weight in model.parameters())
    need = found.bytes(1)
    raise ModelTooLarge(need=units.size(need), have=units.size(free), parameters=f"{parameters:,}")


@contextmanager
def room_errors(model: nn.Module, batch_size: int | None, device: torch.device | str | None = None) -> Iterator[None]:
    """A block in which memory that runs out is told in three sentences, with a size to try.

    Args:
        model: Whose gradients are given up then, as the next try needs their room.
        batch_size: Samples of the largest batch, where that is known.
        device: Where the model is; what PyTorch holds ready there is given back.

    Raises:
        MemoryRanOut: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, FirstlightError) or not wants_memory(error):
            raise
        # The frames of the failed step hold its tensors, and a notebook keeps the last traceback: the next try
        # would find no more room than this one.
        traceback.clear_frames(error.__traceback__)
        model.zero_grad(set_to_none=True)
        place = torch.device(device or "cpu")
        if place.type in ("cuda", "xpu", "mps"):
            getattr(torch, place.type).empty_cache()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        size = "?" if batch_size is None else f"{batch_size:,}"
        fits = 1 if batch_size is None else max(1, batch_size // 2)
        raise MemoryRanOut(size=size, fits=fits, error=reason) from error


def free_memory(device: torch.device | str = "cpu") -> int | None:
    """Bytes that this process can still take on a device; None where that cannot be known.

    On the CPU: what the system can give without swapping, or what the container's or the process' limit leaves, if
    that is less. On an accelerator: what it has free, and what PyTorch holds ready.

    Example:
        >>> free_memory("cpu") > 2**20
        True
    """
    place = torch.device(device)
    if place.type == "cpu":
        left: list[int | None] = [int(psutil.virtual_memory().available), memory_left(), _address_space_left()]
        return min(found for found in left if found is not None)
    if place.type in ("cuda", "xpu"):
        module = getattr(torch, place.type)
        free, _total = module.mem_get_info(place)
        return int(free + module.memory_reserved(place) - module.memory_allocated(place))
    if place.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return None


@dataclass
class PeakMemory:
    """The most memory that a block held at one time; complete when the block has ended.

    Attributes:
        bytes: Above what was held when the block began. On the CPU this is resident memory of the process, on CUDA and
            XPU what PyTorch's allocator gave out. None where neither can be known.
        exact: False where the process had held more before the block began, and the system does not tell apart what
            was held then and in the block: `bytes` is then the most that it can be.
    """

    bytes: int | None = None
    exact: bool = True


@contextmanager
def peak_memory(device: torch.device | str = "cpu") -> Iterator[PeakMemory]:
    """Measure the most memory that a block holds at one time, above what was held when it began.

    Args:
        device: Where the memory is.

    Example:
        >>> with peak_memory() as peak:
        ...     numbers = torch.zeros(30_000_000)  # 120 MB
        >>> peak.bytes > 100e6 or not peak.exact
        True
    """
    peak, place = PeakMemory(), torch.device(device)
    meter: _Resident | _Allocated | None = None
    if place.type == "cpu":
        meter = _Resident()
    elif place.type in ("cuda", "xpu"):
        meter = _Allocated(place)
    try:
        yield peak
    finally:
        if meter is not None:
            peak.bytes, peak.exact = meter.read()


class _Watch(Alive):
    """Adds up the tensors that are alive, after each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.curve: list[float] = []

    def mark(self) -> int:
        """At which operation."""
        return len(self.curve)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            self.know(value, count=True)
        workspace = 0
        if func in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default):
            workspace = sum(_reordered(value) for value in (*args[:2], *tree_leaves(out)))
        self.curve.append(float(self.live + workspace))
        return out


def _reordered(value: Any) -> int:
    """Bytes of the copy that a convolution on the CPU makes of pictures: in blocks of 16 channels, side by side."""
    if not isinstance(value, Tensor) or value.ndim != 4 or value.device.type != "cpu":
        return 0
    if value.is_contiguous(memory_format=torch.channels_last):
        return 0
    channels = value.shape[1]
    return value.nbytes // channels * (-(-channels // 16) * 16)


def _curve(
    model: nn.Module, batch: tuple[Any, Tensor], loss: Callable[[Any, Tensor], Tensor], precision: torch.dtype
) -> list[float]:
    """What a forward and backward pass holds after each operation, gradients of the weights aside. Shape: (P,)."""
    inputs, labels = batch
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    watch = _Watch()
    for tensor in (*model.parameters(), *model.buffers(), *tree_leaves((inputs, labels))):
        watch.know(tensor, count=False)
    with watch, torch.enable_grad():
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            value = loss(model(inputs), labels)
        # Not backward(): it would leave gradients behind.
        gradients = torch.autograd.grad(value, weights, allow_unused=True)
        watch.curve.append(float(watch.live))
    # The gradients of the weights are counted with the optimizer.
    for storage in {
        one.untyped_storage()._cdata: one.untyped_storage() for one in gradients if one is not None
    }.values():
        _reference, size, born = watch.known.get(storage._cdata, (None, 0, 0))
        for place in range(born, len(watch.curve) if size else 0):
            watch.curve[place] -= size
    return watch.curve


def _fixed(optimizer: Optimizer) -> int:
    """Bytes of gradients, of what the optimizer keeps, and of what its step needs for a moment."""
    total = 0
    for group in optimizer.param_groups:
        sizes = [weight.nbytes for weight in group["params"] if weight.requires_grad]
        whole = sum(sizes)
        total += sum(weight.nbytes for weight in group["params"] if weight.requires_grad and weight.grad is None)
        if not optimizer.state:
            total += int(whole * _kept_per_weight(optimizer, group))
        if group.get("foreach"):
            total += whole
        elif not group.get("fused"):
            total += max(sizes, default=0)
    return total


def _kept_per_weight(optimizer: Optimizer, group: dict[str, Any]) -> float:
    """How many numbers an optimizer keeps for each weight."""
    if isinstance(optimizer, SGD):
        return 1.0 if group.get("momentum") else 0.0
    if isinstance(optimizer, LBFGS):
        return float(2 * group.get("history_size", 100))
    if "betas" in group:
        return 3.0 if group.get("amsgrad") else 2.0
    return 1.0 if "momentum" in group else 0.0


def _samples(batch: tuple[Any, Tensor], count: int) -> tuple[Any, Tensor]:
    """So many samples, some of them twice where the batch has fewer."""
    inputs, labels = batch
    places = torch.arange(count, device=labels.device) % len(labels)

    def taken(value: Any) -> Any:
        if isinstance(value, list) and not any(isinstance(item, Tensor) for item in value):
            return [value[int(place)] for place in places]  # trees
        return tree_map_only(Tensor, lambda tensor: tensor[places.to(tensor.device)], value)

    with torch.no_grad():
        return taken(inputs), labels[places]


def _bytes_of(batch: Any) -> int:
    return sum(value.nbytes for value in tree_leaves(batch) if isinstance(value, Tensor))


def _address_space_left() -> int | None:
    """What `ulimit -v` leaves: on shared machines an administrator may have set it."""
    if sys.platform != "linux":
        return None
    import resource

    limit, _most = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else max(0, limit - psutil.Process().memory_info().vms)


class _Resident:
    """The highest resident memory of this process since the meter was made.

    Linux can forget the highest value. As there is one value for the process, a meter that makes it forget tells those
    that were made before.
    """

    _open: ClassVar[list["_Resident"]] = []
    _highest: int

    def __init__(self) -> None:
        for meter in self._open:
            meter._highest = max(meter._highest, _highest_resident())
        self._highest = 0
        self._forgotten = _forget_highest()
        self._before = psutil.Process().memory_info().rss
        self._highest_before = _highest_resident()
        self._open.append(self)

    def read(self) -> tuple[int | None, bool]:
        self._open.remove(self)
        highest = max(self._highest, _highest_resident())
        exact = self._forgotten or highest > self._highest_before
        return max(0, highest - self._before), exact


def _forget_highest() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the highest value becomes the present one
    except OSError:
        return False
    return True


def _highest_resident() -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return int(info.peak_wset)  # Windows
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(highest if sys.platform == "darwin" else 1024 * highest)


class _Allocated:
    """The most that PyTorch's allocator has given out on a device since the meter was made."""

    def __init__(self, place: torch.device) -> None:
        self._place, self._module = place, getattr(torch, place.type)
        self._module.reset_peak_memory_stats(place)
        self._before = self._module.memory_allocated(place)

    def read(self) -> tuple[int | None, bool]:
        return int(self._module.max_memory_allocated(self._place) - self._before), True
