"""What `fit` trains with: optimizer, schedule and loss, all of them plain PyTorch.

Shapes: N samples, K classes.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.train.check import Loss
from firstlight.train.feed import Feed

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]


class UnknownChoice(FirstlightError, ValueError):
    """An option has a value that it does not know."""

    text = Text(
        what="{option}={value} is not known.",
        why="{option} is one of: {choices}.",
        do="Write one of them.",
    )


class NotInRange(FirstlightError, ValueError):
    """An option is a number outside its range."""

    text = Text(
        what="{option}={value} makes no sense here.",
        why="{option} is {range}.",
        do="Change {option}, or leave it out.",
    )


class ForeignOptimizer(FirstlightError, ValueError):
    """The optimizer holds the weights of something else."""

    text = Text(
        what="The optimizer would change {found} tensors that are not weights of this model.",
        why="An optimizer keeps the parameters that it was made with; a model that is made anew has new ones.",
        do="Make the optimizer again after the model: torch.optim.SGD(model.parameters(), lr=0.1).",
    )


class LengthUnknown(FirstlightError, TypeError):
    """A schedule needs to know how long training takes."""

    text = Text(
        what="The schedule {schedule} needs the number of steps, and this loader does not say how many batches it has.",
        why="It plans the learning rate from the first step to the last.",
        do="Write schedule=None, or give data that has a length.",
    )


class OptionsDisagree(FirstlightError, ValueError):
    """Two options cannot both be followed."""

    text = Text(
        what="{one} and {other} cannot both be used.",
        why="{one} is part of cross-entropy, and loss= takes its place.",
        do="Leave out {one} and put it into your loss, as in nn.CrossEntropyLoss(label_smoothing=0.1).",
    )


def make_optimizer(
    wanted: Optimizer | MakeOptimizer | None, model: nn.Module, lr: float | None, weight_decay: float | None
) -> Optimizer:
    """The learner's own optimizer, one that the factory makes, or AdamW.

    Raises:
        ForeignOptimizer: The optimizer given holds other parameters than the model's.
        UnknownChoice: It is neither an optimizer nor what makes one.
        NotInRange: It is one that needs another loop.
    """
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if isinstance(wanted, Optimizer):
        ours = {id(weight) for weight in model.parameters()}
        foreign = [weight for group in wanted.param_groups for weight in group["params"] if id(weight) not in ours]
        if foreign:
            raise ForeignOptimizer(found=len(foreign))
    factory = _adamw if wanted is None else wanted
    known = isinstance(wanted, Optimizer) or (callable(factory) and not isinstance(factory, nn.Module))
    optimizer: Any = wanted if isinstance(wanted, Optimizer) or not known else factory(weights)  # type: ignore[operator]
    if not isinstance(optimizer, Optimizer):
        choices = "None, torch.optim.SGD, torch.optim.SGD(model.parameters(), lr=0.1)"
        raise UnknownChoice(option="optimizer", value=shown(wanted), choices=choices)
    if isinstance(optimizer, torch.optim.LBFGS):
        needed = _("an optimizer whose step() needs no closure")
        raise NotInRange(option="optimizer", value="LBFGS", range=needed)
    for group in optimizer.param_groups:
        if lr is not None:
            group["lr"] = lr
        if weight_decay is not None:
            group["weight_decay"] = weight_decay
    return optimizer


def _adamw(weights: Iterable[nn.Parameter]) -> Optimizer:
    """AdamW, all weights in one kernel where that is right.

    The fused kernel takes weight, gradient and momentum for rows of numbers in the same order. Of a weight that is a
    view with gaps it would write into the gaps, so such weights are updated one by one.
    """
    weights = list(weights)
    gapless = all(
        weight.is_contiguous()
        or (weight.device.type != "cpu" and weight.is_contiguous(memory_format=torch.channels_last))
        for weight in weights
    ) and all(weight.is_floating_point() for weight in weights)  # no kernel for complex ones, which the step says only
    if gapless:
        try:
            return torch.optim.AdamW(weights, fused=True)
        except RuntimeError:  # a device or a kind of number without such a kernel
            pass
    return torch.optim.AdamW(weights)


def make_schedule(wanted: str | MakeSchedule | None, optimizer: Optimizer, steps: int | None) -> LRScheduler | None:
    """The learning rate over the steps: `schedule.step()` follows each `optimizer.step()`. None where it stays.

    Raises:
        LengthUnknown: The schedule needs the number of steps.
        UnknownChoice: It is no schedule, or none that moves once per step.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        made: Any = wanted(optimizer) if callable(wanted) else wanted
        if made is wanted or not isinstance(made, LRScheduler) or isinstance(made, ReduceLROnPlateau):
            choices = '"one-cycle", "cosine", None, lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 100)'
            raise UnknownChoice(option="schedule", value=shown(wanted), choices=choices)
        return made
    if steps is None:
        raise LengthUnknown(schedule=wanted)
    if wanted == "one-cycle":
        # Smith 2018: up to the peak in the first 30 % of the steps, then down to nearly nothing.
        peaks = [float(group["lr"]) for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=peaks, total_steps=steps + 1, cycle_momentum=False)
    return CosineAnnealingLR(optimizer, T_max=max(steps, 1))


@contextmanager
def handed_back(optimizer: Optimizer | Any) -> Iterator[None]:
    """A block after which a learner's own optimizer has its own learning rate again, whatever a schedule did to it."""
    if not isinstance(optimizer, Optimizer):
        yield
        return
    kept = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    try:
        yield
    finally:
        for group, values in zip(optimizer.param_groups, kept, strict=True):
            for key in group.keys() - values.keys() - {"params"}:
                del group[key]
            group.update(values)


def make_loss(wanted: Loss | None, label_smoothing: float, class_weights: Tensor | None) -> Loss:
    """The learner's own loss, or cross-entropy.

    Raises:
        OptionsDisagree: An own loss and an option that belongs to cross-entropy.
    """
    if wanted is None:
        return nn.CrossEntropyLoss(weight=class_weights, label_smoothing=label_smoothing)
    if label_smoothing:
        raise OptionsDisagree(one="label_smoothing=", other="loss=")
    if class_weights is not None:
        raise OptionsDisagree(one="class_weights=", other="loss=")
    return wanted


def weigh(wanted: Any, feed: Feed, outputs: int | None) -> Tensor | None:
    """How much a sample of each class counts. Shape of the result: (K,).

    Raises:
        UnknownChoice: A word other than "balanced".
        NotInRange: Numbers, but not one for each class.
        OptionsDisagree: There are no classes.
    """
    if wanted is None:
        return None
    if outputs is None:  # only a loss of the learner's own has no classes
        raise OptionsDisagree(one="class_weights=", other="loss=")
    if isinstance(wanted, str):
        if wanted != "balanced":
            raise UnknownChoice(option="class_weights", value=wanted, choices='"balanced", None')
        return balanced(feed.labels(), outputs).to(feed.device)
    try:
        weights = torch.as_tensor(wanted, dtype=torch.float32).to(feed.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotInRange(option="class_weights", value=shown(wanted), range=f"{outputs} × (>= 0)") from error
    if weights.shape != (outputs,) or not bool((weights >= 0).all()) or not bool((weights > 0).any()):
        raise NotInRange(option="class_weights", value=weights.tolist(), range=f"{outputs} × (>= 0)")
    return weights


def shown(value: Any) -> str:
    """How a value that an option does not take is written in a message."""
    if isinstance(value, type):
        return value.__name__
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else type(value).__name__


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weights that let each class count alike: N / (classes present * samples of the class), 0 where there are none.

    Shape:
        labels: (N,)

    Example:
        >>> balanced(torch.tensor([0, 0, 0, 1]), 2)
        tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(labels, minlength=classes)
    present = int((counts > 0).sum())
    return torch.where(counts > 0, len(labels) / (present * counts.clamp(min=1)), 0.0)
