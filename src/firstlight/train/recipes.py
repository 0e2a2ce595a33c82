"""Recipes: a model and the arguments of `fit` that go well together.

    recipe = fl.recipes.cifar10(train)
    run = fl.fit(recipe.model, train, test, **recipe.options)

A recipe is nothing but that: the model is a plain module, the options are what anybody could write by hand. What each
idea in them is worth is measured in docs/recipes.md.

Shapes: B batch, C channels, H height, W width, K classes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from firstlight.compat import cpu_bfloat16
from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.train.device import choose_device
from firstlight.train.muon import Muon
from firstlight.train.plan import has_bfloat16
from firstlight.train.recipe import NotInRange, UnknownChoice, shown

__all__ = ["NotPictures", "PhotoNet", "Recipe", "Triangle", "cifar10", "photo_optimizer"]


class NotPictures(FirstlightError, TypeError):
    """The recipe is for pictures, and the data is something else."""

    text = Text(
        what="This recipe is for pictures; it was given {kind}.",
        why="Its first layer is made from small pieces of the training pictures.",
        do="Load pictures with train, test = firstlight.load(...) and give the recipe the first of the two.",
    )


@dataclass(frozen=True)
class Recipe:
    """A model, not trained yet, and the arguments of `fit` for it.

    Attributes:
        model: A plain module.
        options: Arguments of `fit`; others can be added: `{**recipe.options, "seed": 1}`. The schedule is made for
            `epochs` and `batch_size`: give those to the recipe.
    """

    model: nn.Module
    options: dict[str, Any]


@dataclass(frozen=True)
class _Size:
    """How large a recipe is. Found by the trials in docs/recipes.md."""

    patch: int  # side of the pieces of a picture that the first layer looks at, for pictures of 32 pixels
    stride: int
    filters: int  # of the first layer
    widths: tuple[int, ...]  # channels after each block
    deep: bool  # two convolutions in each block, not one
    epochs: int
    batch_size: int
    varied: bool  # pictures are mirrored and shifted


_SIZES = {
    "small": _Size(4, 3, 32, (32, 32), deep=False, epochs=1, batch_size=500, varied=False),
    "medium": _Size(2, 1, 24, (32, 128, 128), deep=True, epochs=4, batch_size=500, varied=True),
    "large": _Size(2, 1, 24, (64, 256, 256), deep=True, epochs=8, batch_size=2000, varied=True),
}
_FEWEST_STEPS = 400  # a few hundred pictures are looked at again and again, until there were so many steps
_LOOKED_AT = 1000  # pictures from which the first layer is made
_AT_ONCE = 2**26  # bytes of pieces of them at one time


def cifar10(
    train: Dataset,
    *,
    size: str = "medium",
    epochs: int | None = None,
    batch_size: int | None = None,
    widths: Sequence[int] | None = None,
    mirror: bool = True,
) -> Recipe:
    """A small convolutional network for photos, after the fastest known trainings on CIFAR-10.

    It takes any picture `Dataset`: other sizes than 32 × 32, grey or colour, any number of classes. For a few hundred
    photos, batches become smaller and epochs more.

    Args:
        train: The pictures to train with. The model's first layer and its number of classes come from them.
        size: "small" (an epoch, for a first result in seconds), "medium" (for a CPU), "large" (for a GPU).
        epochs: Passes over the training split; the learning rate is planned for so many.
        batch_size: Samples in a step.
        widths: Channels after each block of the network; each block halves the picture.
        mirror: Whether a mirrored picture shows the same class: True for photos, False for letters and digits.

    Returns:
        The model, and the options for `fit`.

    Raises:
        NotPictures: The data is no `Dataset` of pictures.
        UnknownChoice: There is no such size.
        NotInRange: A number makes no sense.

    Example:
        >>> from firstlight.data import load
        >>> train, test = load("fashion_mnist_small")
        >>> recipe = cifar10(train, size="small")
        >>> recipe.model(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
        >>> recipe.options["epochs"], recipe.options["batch_size"]
        (1, 100)
    """
    if not isinstance(train, Dataset) or train.kind != "picture":
        raise NotPictures(kind=train.kind if isinstance(train, Dataset) else type(train).__name__)
    if size not in _SIZES:
        raise UnknownChoice(option="size", value=shown(size), choices=", ".join(f'"{name}"' for name in _SIZES))
    plan = _SIZES[size]
    numbers = {"epochs": epochs, "batch_size": batch_size, **{f"widths[{i}]": w for i, w in enumerate(widths or ())}}
    for option, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise NotInRange(option=option, value=shown(number), range=_("a whole number from 1"))
    batch_size = batch_size or fitting_batch(len(train), plan.batch_size)
    steps_per_epoch = math.ceil(len(train) / batch_size)
    fewest = 100 if size == "small" else _FEWEST_STEPS
    epochs = epochs or max(plan.epochs, math.ceil(min(fewest / steps_per_epoch, 100)))
    model = PhotoNet(
        train, widths=widths or plan.widths, patch=plan.patch, stride=plan.stride, filters=plan.filters,
        deep=plan.deep, mirror=mirror and plan.varied,
    )  # fmt: skip
    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": photo_optimizer,
        "schedule": Triangle(epochs * steps_per_epoch),
        "label_smoothing": 0.2,  # Szegedy et al. 2016; 0.2 as in Jordan 2024
        "precision": _precision(choose_device(announce=False)),
        "memory_format": "channels_last",
    }
    if plan.varied:
        options["augment"] = "alternating-flip+shift" if mirror else "shift"
    return Recipe(model, options)


def _precision(device: torch.device) -> str:
    known = cpu_bfloat16() if device.type == "cpu" else has_bfloat16(device)
    return "bfloat16" if known else "float32"


class PhotoNet(nn.Module):
    """Whitening, a few blocks of convolutions, and the strongest answer anywhere in the picture.

    The design is that of airbench94 (Keller Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024), which
    grew out of the nets of David Page ("How to Train Your ResNet", 2018-2019) and tysam-code ("hlb-CIFAR10", 2023).

    In eval mode it looks at each picture and at its mirror image, and gives the mean of both.

    Args:
        train: The pictures that the first layer is made from.
        widths: Channels after each block.
        patch: Side of what the first layer looks at, in pixels of a picture of about 32 pixels.
        stride: Step of the first layer, likewise.
        filters: Channels of the first layer.
        deep: Whether each block has two convolutions.
        mirror: Whether eval mode looks at the mirror image too.

    Shape:
        pictures: (B, C, H, W), prepared
        output: (B, K)
    """

    def __init__(
        self,
        train: Dataset,
        *,
        widths: Sequence[int],
        patch: int = 2,
        stride: int = 1,
        filters: int = 24,
        deep: bool = True,
        mirror: bool = True,
    ) -> None:
        super().__init__()
        self.mirror = mirror
        self.whiten = whitening(train, patch, stride, filters)
        self.activation = nn.GELU()
        self.blocks = nn.Sequential()
        channels = self.whiten.out_channels
        for width in widths:
            self.blocks.append(Block(channels, width, deep))
            channels = width
        self.head = nn.Linear(channels, len(train.classes), bias=False)
        # Small first answers: the loss then begins at that of guessing, and its slope is not saturated.
        nn.init.normal_(self.head.weight, std=1 / channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """A row of scores for each picture."""
        if self.training or not self.mirror:
            return self.look(pictures)
        return (self.look(pictures) + self.look(pictures.flip(3))) / 2

    def look(self, pictures: Tensor) -> Tensor:
        """The scores of the pictures as they are."""
        maps = self.blocks(self.activation(self.whiten(pictures)))
        strongest = maps.amax(dim=(2, 3))  # (B, channels): wherever in the picture it was found
        scores: Tensor = self.head(strongest)
        return scores


class Block(nn.Module):
    """Half the picture, more channels.

    Shape:
        maps: (B, C, H, W)
        output: (B, width, H // 2, W // 2)
    """

    def __init__(self, channels: int, width: int, deep: bool) -> None:
        super().__init__()
        self.first = filters(channels, width)
        self.first_norm = norm(width)
        self.second = filters(width, width) if deep else None
        self.second_norm = norm(width) if deep else None
        self.activation = nn.GELU()

    def forward(self, maps: Tensor) -> Tensor:
        """Halve the picture as soon as it has been looked at: all that follows is then four times as quick."""
        maps = self.first(maps)
        if min(maps.shape[2:]) > 1:
            maps = F.max_pool2d(maps, 2)
        maps = self.activation(self.first_norm(maps))
        if self.second is not None and self.second_norm is not None:
            maps = self.activation(self.second_norm(self.second(maps)))
        return maps


def filters(channels: int, width: int) -> nn.Conv2d:
    """A 3 × 3 convolution whose first filters pass on what they are given, unchanged.

    Zagoruyko and Komodakis 2017 ("DiracNets"), as in Jordan 2024: signals get through a net that is not trained yet.
    """
    layer = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[:channels])
    return layer


def norm(width: int) -> nn.BatchNorm2d:
    """BatchNorm that learns where zero lies, but no scale: the filters that follow have one (Page 2019)."""
    layer = nn.BatchNorm2d(width, momentum=0.3)  # a short memory: the net changes quickly in so few steps
    layer.weight.requires_grad_(False)
    return layer


def whitening(train: Dataset, patch: int, stride: int, wanted: int) -> nn.Conv2d:
    """A first layer that is computed, not learned: its outputs are uncorrelated and equally strong.

    Neighbouring pixels say almost the same; a net would spend many steps to find the differences. The principal
    components of small pieces of the training pictures, each divided by its standard deviation, show them at once. Each
    stands there twice, with both signs, since GELU drops most of what is negative (Page 2019, part 8; Jordan 2024).

    As nothing is learned here, nothing is computed backward either, where the pictures are largest.
    """
    channels, *sides = train.shape
    side = min(sides)
    times = max(1, round(side / 32))  # larger pictures are looked at in larger pieces, and come out at about 32 pixels
    patch, stride = min(patch * times, side), stride * times
    chosen = torch.arange(0, len(train), max(1, len(train) // _LOOKED_AT))[:_LOOKED_AT]
    values, apart = channels * patch**2, max(stride, patch // 2)
    products, seen = torch.zeros(values, values), 0
    # The pieces of a large picture take more memory than the picture: a few pictures at a time.
    of_one = 4 * values * math.prod((length - patch) // apart + 1 for length in sides)
    for some in torch.split(chosen, max(1, _AT_ONCE // of_one)):
        pictures = train.preprocess(train.take(some)[0]).float()
        pieces = F.unfold(pictures, patch, stride=apart).transpose(1, 2).reshape(-1, values)
        products += pieces.T @ pieces
        seen += len(pieces)
    strength, directions = torch.linalg.eigh(products / seen)  # from weak to strong
    count = min(max(wanted // 2, 1), values)
    components = (directions / (strength.clamp(min=0) + 5e-4).sqrt()).T.flip(0)[:count]
    components = components.reshape(count, -1, patch, patch)
    layer = nn.Conv2d(channels, 2 * count, patch, stride=stride, bias=False)
    layer.weight = nn.Parameter(torch.cat([components, -components]), requires_grad=False)
    return layer


def photo_optimizer(parameters: Iterable[nn.Parameter]) -> Muon:
    """Muon for the filters, Adam for the last layer and for where zero lies."""
    by_dimensions: dict[int, list[nn.Parameter]] = {}
    for parameter in parameters:
        by_dimensions.setdefault(parameter.ndim, []).append(parameter)
    groups = [
        {"params": by_dimensions.get(4, []), "lr": 0.24, "momentum": 0.6, "orthogonal": True, "fixed_length": True},
        {"params": by_dimensions.get(2, []), "lr": 0.01, "momentum": 0.85},
        {"params": by_dimensions.get(1, []), "lr": 0.02, "momentum": 0.85},
    ]
    return Muon([group for group in groups if group["params"]], orthogonal=False)


class Triangle:
    """A schedule for `fit`: the learning rate falls from its peak to zero in a straight line.

    Args:
        steps: How many steps training takes.
        warm_up: Share of them in which it first rises to the peak.

    Example:
        >>> weights = [nn.Parameter(torch.zeros(2))]
        >>> plan = Triangle(steps=4)(torch.optim.SGD(weights, lr=1.0))
        >>> [plan.lr_lambdas[0](step) for step in range(5)]
        [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def __init__(self, steps: int, warm_up: float = 0.0) -> None:
        self.steps = steps
        self.rise = warm_up * steps

    def __call__(self, optimizer: torch.optim.Optimizer) -> LambdaLR:
        """The schedule for this optimizer."""
        return LambdaLR(optimizer, self.share)

    def share(self, step: int) -> float:
        """Which share of its peak the learning rate has at a step."""
        if step < self.rise:
            return (step + 1) / (self.rise + 1)
        return max(0.0, 1 - (step - self.rise) / max(1.0, self.steps - self.rise))

    def __repr__(self) -> str:
        return f"Triangle(steps={self.steps})"


def fitting_batch(samples: int, largest: int) -> int:
    """A batch size for a dataset: about a hundred batches in an epoch, from 16 samples up to `largest`.

    Example:
        >>> fitting_batch(50_000, largest=500), fitting_batch(3_000, largest=500), fitting_batch(200, largest=500)
        (500, 28, 16)
    """
    return min(largest, max(16, samples // 100 // 4 * 4))
