"""Small random changes to training pictures, a batch at a time. Shapes: B batch, C channels, H height, W width.

What happens to a sample depends on three numbers only: the seed of the run, the position of the sample in the dataset,
and the turn (how many passes there were before). So it is the same on every device, in every order, on any number of
threads, and nothing is drawn from a generator while a model trains.
"""

import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from firstlight.data.errors import (
    AugmentNeedsDataset,
    AugmentTooLarge,
    BadAugment,
    BadAugmentOption,
    ColourNeedsPixels,
)

Draws = tuple[Tensor, ...]  # what was drawn for each sample, one number per sample in each tensor


@runtime_checkable
class ForSamples(Protocol):
    """An augmentation that wants to know which samples it has before it, and in which pass."""

    def for_samples(self, pictures: Tensor, positions: Tensor, turn: int) -> Tensor:
        """The changed pictures.

        Args:
            pictures: Raw pictures of one batch, `uint8`.
            positions: Where the samples stand in the dataset, `int64`.
            turn: How many passes over the data there were before this one.

        Shape:
            pictures: (B, C, H, W)
            positions: (B,)
        """
        ...


Augment = Callable[[Tensor], Tensor] | ForSamples


class Change(ABC):
    """One random change, or several one after the other. Two are joined by `+`.

    Example:
        >>> both = flip() + shift(pixels=2)
        >>> pictures = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> both.for_samples(pictures, positions=torch.arange(4), turn=0).shape
        torch.Size([4, 3, 8, 8])
    """

    seed: int
    needs_positions = False  # whether it makes no sense without knowing which sample is which

    @abstractmethod
    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """What is to happen to each of these samples. Shape of each tensor: (B,)."""

    @abstractmethod
    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Do it. The pictures given are left as they are."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many tensors `draw` gives."""

    def for_samples(self, pictures: Tensor, positions: Tensor, turn: int) -> Tensor:
        """Draw and apply, with the seed of this object."""
        draws = self.draw(self.seed, positions.cpu(), turn)
        return self.apply(pictures, tuple(one.to(pictures.device) for one in draws))

    def __call__(self, pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Change a batch of which nothing else is known; the seed comes from the generator.

        Raises:
            AugmentNeedsDataset: The change depends on which sample is which.
            BadAugment: These are no pictures.
        """
        if self.needs_positions:
            raise AugmentNeedsDataset(name=repr(self))
        if pictures.ndim != 4:
            raise BadAugment(name=repr(self), names=", ".join(NAMED))
        draws = self.draw(new_seed(generator), torch.arange(len(pictures)), 0)
        return self.apply(pictures, tuple(one.to(pictures.device) for one in draws))

    def __add__(self, other: "Change | str") -> "Change":
        return Steps((self, named(other) if isinstance(other, str) else other))

    def __radd__(self, other: str) -> "Change":
        return Steps((named(other), self))


@dataclass(frozen=True)
class Steps(Change):
    """Several changes, one after the other."""

    steps: tuple[Change, ...]
    seed: int = field(default=0, repr=False)

    @property
    def needs_positions(self) -> bool:  # type: ignore[override]
        """Whether one of them does."""
        return any(step.needs_positions for step in self.steps)

    @property
    def count(self) -> int:
        """The sum of theirs."""
        return sum(step.count for step in self.steps)

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """One after the other, each from a seed of its own."""
        return tuple(
            one for index, step in enumerate(self.steps) for one in step.draw(seed + index + 1, positions, turn)
        )

    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """One after the other."""
        for step in self.steps:
            pictures = step.apply(pictures, draws[: step.count])
            draws = draws[step.count :]
        return pictures

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.steps))


@dataclass(frozen=True, repr=False)
class Flip(Change):
    """See `flip`."""

    seed: int = 0

    @property
    def count(self) -> int:
        """Mirrored or not."""
        return 1

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """1 for mirrored, 0 for left alone."""
        return (_below(2, seed, positions, turn),)

    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Both versions of each picture, and one of the two taken: faster than choosing pixel by pixel."""
        (mirrored,) = draws
        batch = len(pictures)
        both = torch.cat([pictures, pictures.flip(3)])
        return both.index_select(0, torch.arange(batch, device=pictures.device) + batch * mirrored)

    def __repr__(self) -> str:
        return "flip()"


@dataclass(frozen=True, repr=False)
class AlternatingFlip(Flip):
    """See `alternating_flip`."""

    needs_positions = True

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """The choice of the first pass, turned over in every second one."""
        return (_below(2, seed, positions, 0) ^ (turn & 1),)

    def __repr__(self) -> str:
        return "alternating_flip()"


@dataclass(frozen=True, repr=False)
class Shift(Change):
    """See `shift`."""

    pixels: int | None = None
    padding: str = "reflect"
    seed: int = 0

    @property
    def count(self) -> int:
        """Down and to the right."""
        return 2

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """Raw numbers; what they mean depends on the size of the pictures, which only `apply` knows."""
        return _word(seed, positions, turn), _word(seed, positions, turn, 1)

    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Pad the pictures, and cut a window out of each."""
        batch, channels, height, width = pictures.shape
        reach = self.reach(height, width)
        if not batch:
            return pictures.clone()
        top, left = (one % (2 * reach + 1) for one in draws)
        wide = width + 2 * reach
        size = channels * (height + 2 * reach) * wide
        # A few bytes more than the padded pictures, since the window of the last one may begin late.
        room = pictures.new_empty(batch * size + 2 * reach * (wide + 1))
        padded = room[: batch * size].view(batch, channels, height + 2 * reach, wide)
        _pad(pictures, padded, reach, self.padding)
        if pictures.device.type not in ("cpu", "cuda", "meta"):  # not every backend can look at memory so freely
            windows = padded.unfold(2, height, 1).unfold(3, width, 1)
            return windows[torch.arange(batch, device=pictures.device), :, top, left]
        # Moving a picture is reading its memory from a later place on: one copy of a block for each sample.
        start = torch.arange(batch, device=pictures.device) * size + top * wide + left
        blocks = room.as_strided((room.numel() - size + 1, size), (1, 1)).index_select(0, start)
        return blocks.view(padded.shape)[:, :, :height, :width].contiguous()

    def reach(self, height: int, width: int) -> int:
        """How far a picture of this size may move.

        Raises:
            AugmentTooLarge: Farther than the picture is wide.
        """
        if self.pixels is None:
            return min(max(1, round(min(height, width) / 16)), min(height, width) - 1)
        if self.pixels >= min(height, width):
            raise AugmentTooLarge(name="shift", pixels=self.pixels, height=height, width=width)
        return self.pixels

    def __repr__(self) -> str:
        return f"shift(pixels={self.pixels}, padding={self.padding!r})"


@dataclass(frozen=True, repr=False)
class Cutout(Change):
    """See `cutout`."""

    pixels: int | None = None
    fill: int = 128
    seed: int = 0

    @property
    def count(self) -> int:
        """The row and the column of the middle."""
        return 2

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """Raw numbers; what they mean depends on the size of the pictures."""
        return _word(seed, positions, turn), _word(seed, positions, turn, 1)

    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Write only where the squares are."""
        batch, channels, height, width = pictures.shape
        side = max(1, min(height, width) // 4) if self.pixels is None else self.pixels
        if side > min(height, width):
            raise AugmentTooLarge(name="cutout", pixels=side, height=height, width=width)
        place, square = pictures.device, torch.arange(side, device=pictures.device) - side // 2
        row, column = draws[0] % height, draws[1] % width
        # What would lie outside is written to the edge, which the square covers in that case anyway.
        rows = (row.view(-1, 1, 1, 1) + square.view(-1, 1)).clamp(0, height - 1)
        columns = (column.view(-1, 1, 1, 1) + square).clamp(0, width - 1)
        samples = torch.arange(batch, device=place).view(-1, 1, 1, 1)
        fill = torch.full((), 0 if pictures.is_floating_point() else self.fill, dtype=pictures.dtype, device=place)
        return pictures.index_put((samples, torch.arange(channels, device=place).view(-1, 1, 1), rows, columns), fill)

    def __repr__(self) -> str:
        return f"cutout(pixels={self.pixels}, fill={self.fill})"


@dataclass(frozen=True, repr=False)
class Colour(Change):
    """See `colour`."""

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    seed: int = 0

    @property
    def count(self) -> int:
        """Brightness, contrast, saturation."""
        return 3

    def draw(self, seed: int, positions: Tensor, turn: int) -> Draws:
        """A factor around 1 for each of the three."""
        reaches = (self.brightness, self.contrast, self.saturation)
        return tuple(
            1 + reach * (2 * _share(seed, positions, turn, column) - 1) for column, reach in enumerate(reaches)
        )

    def apply(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Saturation, then contrast, then brightness; multiplied out, they are one sum."""
        if pictures.is_floating_point():
            raise ColourNeedsPixels(kind=str(pictures.dtype))
        bright, contrast, colourful = (one.view(-1, 1, 1, 1) for one in draws)
        pixels = pictures.to(torch.float32)
        # Whole numbers add up to the same in any order, on any number of threads.
        totals = pictures.sum((2, 3), dtype=torch.int64).to(torch.float32) / (pictures.shape[2] * pictures.shape[3])
        if pictures.shape[1] == 1:
            changed = (bright * contrast) * pixels
            changed += (bright * (1 - contrast)) * totals.view(-1, 1, 1, 1)
        else:
            red, green, blue = 0.299, 0.587, 0.114  # how bright each looks: ITU-R BT.601
            grey = pixels[:, 0:1] * red + pixels[:, 1:2] * green + pixels[:, 2:3] * blue
            mean = (totals[:, 0] * red + totals[:, 1] * green + totals[:, 2] * blue).view(-1, 1, 1, 1)
            changed = pixels.mul_(bright * contrast * colourful)
            changed += grey.mul_(bright * contrast * (1 - colourful)).add_(bright * (1 - contrast) * mean)
        return changed.round_().clamp_(0, 255).to(pictures.dtype)

    def __repr__(self) -> str:
        return f"colour(brightness={self.brightness}, contrast={self.contrast}, saturation={self.saturation})"


def flip() -> Change:
    """Mirror about half of the pictures, left to right.

    Example:
        >>> pictures = torch.tensor([1, 2], dtype=torch.uint8).expand(4, 1, 1, 2)
        >>> flip().for_samples(pictures, positions=torch.arange(4), turn=0)[:, 0, 0].tolist()
        [[2, 1], [2, 1], [1, 2], [2, 1]]
    """
    return Flip()


def alternating_flip() -> Change:
    """Mirror each picture in every second pass; chance decides only which half begins.

    In two passes a model so sees every picture from both sides, where `flip` shows half of them twice from one side.
    Keller Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.6. It is for batches that are
    made once, before the loop over the epochs.

    Example:
        >>> pictures = torch.tensor([1, 2], dtype=torch.uint8).expand(4, 1, 1, 2)
        >>> for turn in range(3):
        ...     alternating_flip().for_samples(pictures, positions=torch.arange(4), turn=turn)[:, 0, 0, 0].tolist()
        [2, 2, 1, 2]
        [1, 1, 2, 1]
        [2, 2, 1, 2]
    """
    return AlternatingFlip()


def shift(pixels: int | None = None, padding: str = "reflect") -> Change:
    """Move each picture by up to so many pixels, up or down and to the left or right.

    Args:
        pixels: How far at most; a sixteenth of the shorter side where nothing is given.
        padding: What comes in at the edge: "reflect" mirrors the picture there, "zero" is black.
    """
    if padding not in ("reflect", "zero"):
        raise BadAugmentOption(name="shift", option="padding", found=repr(padding), allowed="reflect, zero")
    return Shift(None if pixels is None else _whole("shift", "pixels", pixels, 0, 10_000), padding)


def cutout(pixels: int | None = None, fill: int = 128) -> Change:
    """Cover a square of each picture, its middle anywhere, so that a model looks at more than one place.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.

    Args:
        pixels: The side of the square; a quarter of the picture's shorter side where nothing is given.
        fill: The value it gets, from 0 to 255. Pictures that are prepared already get 0.
    """
    side = None if pixels is None else _whole("cutout", "pixels", pixels, 1, 10_000)
    return Cutout(side, _whole("cutout", "fill", fill, 0, 255))


def colour(brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.2) -> Change:
    """Make each picture a little brighter or darker, with more or less contrast, more or less colourful.

    Args:
        brightness: The pixels are multiplied by a number of at most this much more or less than 1.
        contrast: The same for their distance from the mean brightness of the picture.
        saturation: The same for their distance from grey.
    """
    return Colour(_factor("brightness", brightness), _factor("contrast", contrast), _factor("saturation", saturation))


NAMED: dict[str, Callable[[], Change]] = {
    "flip": flip,
    "alternating-flip": alternating_flip,
    "shift": shift,
    "cutout": cutout,
    "colour": colour,
}


def named(names: str) -> Change:
    """The change of this name, or several joined by "+".

    Raises:
        BadAugment: There is none of this name.

    Example:
        >>> named("alternating-flip+shift")
        alternating_flip() + shift(pixels=None, padding='reflect')
    """
    known = NAMED | {"color": colour}
    steps = [name.strip() for name in names.split("+")]
    for name in steps:
        if name not in known:
            raise BadAugment(name=name, names=", ".join(NAMED))
    made = tuple(known[name]() for name in steps)
    return made[0] if len(made) == 1 else Steps(made)


def chosen(wanted: str | Augment) -> Augment:
    """What stands behind `augment=`: a name, several joined by "+", a function or an object with `for_samples`.

    Raises:
        BadAugment: The name is unknown, or it is nothing of these.
    """
    if isinstance(wanted, str):
        return named(wanted)
    if isinstance(wanted, ForSamples) or callable(wanted):
        return wanted
    raise BadAugment(name=repr(wanted), names=", ".join(NAMED))


def augmentation(wanted: str | Augment, generator: torch.Generator | None = None) -> Callable[[Any], Any]:
    """The same as a plain function of a batch, for data of which nobody knows which sample is which.

    Args:
        wanted: As for `Dataset.batches`.
        generator: Where the random numbers come from, if not from torch's global ones.

    Raises:
        AugmentNeedsDataset: It does not work without knowing the samples.
    """
    change = chosen(wanted)
    if not callable(change) or (isinstance(change, Change) and change.needs_positions):
        raise AugmentNeedsDataset(name=wanted if isinstance(wanted, str) else repr(wanted))
    return partial(change, generator=generator) if isinstance(change, Change) else change


def new_seed(generator: torch.Generator | None) -> int:
    """One number from the generator, or from torch's global random numbers, on which all further ones depend."""
    return int(torch.randint(2**62, (), generator=generator))


def _word(seed: int, positions: Tensor, turn: int, column: int = 0) -> Tensor:
    """A random whole number from 0 to 2**31 for each sample. Shape: (B,).

    SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): the state of a sample
    is its position, so its number can be had without those of the others.
    """
    key = _mixed(_mixed(_mixed(seed) + turn) + column)
    state = positions * _signed(0x9E3779B97F4A7C15) + _signed(key)  # wraps around at 64 bits, as it should
    state = (state ^ _right(state, 30)) * _signed(0xBF58476D1CE4E5B9)
    state = (state ^ _right(state, 27)) * _signed(0x94D049BB133111EB)
    return _right(state ^ _right(state, 31), 33)


def _below(limit: int, seed: int, positions: Tensor, turn: int) -> Tensor:
    return _word(seed, positions, turn) % limit


def _share(seed: int, positions: Tensor, turn: int, column: int) -> Tensor:
    """From 0 up to 1, with the 24 bits that a float32 holds exactly."""
    return (_word(seed, positions, turn, column) >> 7).to(torch.float32) * 2.0**-24


def _mixed(number: int) -> int:
    """One step of SplitMix64, for a plain number."""
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % 2**64
    return number ^ (number >> 31)


def _signed(number: int) -> int:
    """The same 64 bits as torch's `int64` reads them."""
    return number - 2**64 if number >= 2**63 else number


def _right(words: Tensor, bits: int) -> Tensor:
    """Shift to the right with zeros coming in; torch's own shift repeats the sign."""
    return torch.bitwise_right_shift(words, bits).bitwise_and(2 ** (64 - bits) - 1)


def _pad(pictures: Tensor, padded: Tensor, reach: int, padding: str) -> None:
    """Fill `padded` with the pictures and `reach` pixels around them."""
    inside = slice(reach, padded.shape[3] - reach)
    if padding == "zero":
        padded.zero_()
    padded[:, :, reach : padded.shape[2] - reach, inside] = pictures
    if padding == "zero":
        return
    rows = slice(reach, padded.shape[2] - reach)
    for away in range(1, reach + 1):  # column by column: faster than mirrored slices
        padded[:, :, rows, reach - away] = pictures[:, :, :, away]
        padded[:, :, rows, -1 - reach + away] = pictures[:, :, :, -1 - away]
    for away in range(1, reach + 1):  # whole rows, corners included
        padded[:, :, reach - away] = padded[:, :, reach + away]
        padded[:, :, -1 - reach + away] = padded[:, :, -1 - reach - away]


def _factor(option: str, found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, numbers.Real) or not 0 <= float(found) <= 1:
        raise BadAugmentOption(name="colour", option=option, found=repr(found), allowed="0.0 ... 1.0")
    return float(found)


def _whole(name: str, option: str, found: Any, least: int, most: int) -> int:
    if isinstance(found, bool) or not isinstance(found, numbers.Integral) or not least <= int(found) <= most:
        raise BadAugmentOption(name=name, option=option, found=repr(found), allowed=f"{least} ... {most}")
    return int(found)
