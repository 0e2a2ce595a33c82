"""Does the model fit the data? Asked before training, with a few samples, and without leaving a trace.

Shapes: B samples in a batch, K classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from firstlight.errors import FirstlightError
from firstlight.locale import Text
from firstlight.train.feed import Feed, _in_range
from firstlight.train.randomness import borrowed_randomness

Loss = Callable[[Any, Tensor], Tensor]


class NotAModel(FirstlightError, TypeError):
    """Something else stands where the model belongs."""

    text = Text(
        what="{kind} is not a model.",
        why="A model is a torch.nn.Module: an object with weights, not its class, a function or data.",
        do="Give the model first, as in model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)) and fit(model, train).",
    )


class NothingToTrain(FirstlightError, ValueError):
    """The model has no weight that training could change."""

    text = Text(
        what="The model has no weights to train.",
        why="It holds no parameters, or requires_grad is False for all of them.",
        do="Add a layer such as nn.Linear, or call model.requires_grad_(True).",
    )


class FeaturesMismatch(FirstlightError, ValueError):
    """A layer and what reaches it disagree about size."""

    text = Text(
        what="The layer {layer} expects {expected} {unit}, but gets {found}: its input has the shape {shape}.",
        why="One sample is {sample}, and the layers before this one turn it into {shape}.",
        do="Write {advice}.",
    )


class LayerFailed(FirstlightError, RuntimeError):
    """A layer cannot compute with what reaches it."""

    text = Text(
        what="The forward pass failed in {layer}, which was given {shape}.",
        why="PyTorch says: {error}",
        do="One sample is {sample}: follow its shape from layer to layer up to this one.",
    )


class NumbersMismatch(FirstlightError, TypeError):
    """Weights and inputs are numbers of different kinds."""

    text = Text(
        what="The weights of {layer} are {expected}, and what reaches it is {found}.",
        why="A layer computes with one kind of number; pixels from 0 to 255 are uint8, weights usually float32.",
        do="Convert the inputs, for pixels with images.float() / 255, or the model with model.float().",
    )


class NoScores(FirstlightError, TypeError):
    """What the model returns is nothing that can be compared with labels."""

    text = Text(
        what="The model returns {found}; a classifier returns one row of {classes} scores for each sample.",
        why="Cross-entropy compares a row of scores, one for each class, with the label.",
        do="End the model with a layer such as nn.Linear(..., {classes}), or give a loss= that takes what it returns.",
    )


class ClassesMismatch(FirstlightError, ValueError):
    """The model has more or fewer outputs than there are classes."""

    text = Text(
        what="The model gives {outputs} scores for each sample; the data has {classes} classes.",
        why="Each class needs one score of its own, in the order of the labels.",
        do="Give the last layer {classes} outputs, as in nn.Linear(..., {classes}).",
    )


class LabelsAreNoClasses(FirstlightError, TypeError):
    """Labels of a kind that cross-entropy cannot take."""

    text = Text(
        what="The labels are {dtype} with the shape {shape}; a classifier learns from one whole number per sample.",
        why="Cross-entropy reads a label as the index of a class.",
        do="Convert them with labels.long(), or give a loss= that suits them, such as nn.functional.mse_loss.",
    )


class NoWayBack(FirstlightError, ValueError):
    """The outputs have lost their connection with the weights."""

    text = Text(
        what="What the model returns is cut off from its weights.",
        why="Something in forward() cuts the way that gradients take: detach(), .data, numpy() or torch.no_grad().",
        do="Take it out of forward(). evaluate() does without gradients by itself.",
    )


class LossFailed(FirstlightError, ValueError):
    """The learner's loss function does not take these outputs and labels."""

    text = Text(
        what="The loss function failed with outputs of the shape {outputs} and labels of the shape {labels} ({dtype}).",
        why="PyTorch says: {error}",
        do="Bring both into the form that it expects, as in loss=lambda outputs, labels: "
        "nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], labels.float()).",
    )


class LossUnusable(FirstlightError, ValueError):
    """The loss function gives nothing that can be minimised."""

    text = Text(
        what="The loss is {found}; training needs one number that depends on the weights.",
        why="backward() starts from a single number and follows it back to every weight.",
        do="Let the loss function return a tensor with one element, as reduction='mean' does.",
    )


@dataclass(frozen=True)
class Facts:
    """What the first look showed.

    Attributes:
        outputs: How many classes the model scores; None where it does something else than classify.
        parameters: How many weights training will change.
    """

    outputs: int | None
    parameters: int


def check(model: nn.Module, feed: Feed, loss: Loss | None = None, *, training: bool = True) -> Facts:
    """Run a few samples through the model and hold what comes out against the labels.

    Buffers, modes and random generators are put back. Lazy layers take their shape here, as they must before an
    optimizer can be made.

    Args:
        model: Any module, on the device of the feed.
        feed: Where the samples come from.
        loss: The learner's own loss function, or None for cross-entropy.
        training: Whether weights will be changed.

    Raises:
        FeaturesMismatch: A layer and what reaches it disagree about size.
        NumbersMismatch: Weights and inputs are numbers of different kinds.
        LayerFailed: The forward pass fails in another way.
        NoScores: What comes out is nothing to compare with labels.
        ClassesMismatch: The model has more or fewer outputs than there are classes.
        LabelOutOfRange: A label is no class index of the model.
        LabelsAreNoClasses: The labels are fractions or rows.
        LossFailed: The learner's loss function does not take the outputs and labels.
        LossUnusable: The learner's loss function gives no single number.
        NothingToTrain: No parameter wants a gradient.
        NoWayBack: The outputs do not lead back to the parameters.
    """
    inputs, labels = feed.first()
    if any(is_lazy(tensor) for tensor in [*model.parameters(), *model.buffers()]):
        with torch.no_grad():
            _forward(model, inputs)  # draws the first weights: the only trace that this function leaves
    scores = None
    with unchanged(model), torch.set_grad_enabled(training):
        model.train(training and len(labels) > 1)  # BatchNorm cannot train on one sample
        outputs = _forward(model, inputs)
        # What stands for cross-entropy is checked like cross-entropy.
        if loss is None or isinstance(loss, (nn.CrossEntropyLoss, nn.NLLLoss)) or loss in _CLASSIFYING:
            scores = _scores(outputs, labels, feed.classes)
        parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        if training and not parameters:
            raise NothingToTrain
        if training and isinstance(outputs, Tensor) and not outputs.requires_grad:
            raise NoWayBack
        if loss is not None:
            found = _single_number(_apply(loss, outputs, labels), outputs, labels, training)
            scores = found if scores is None else scores
    feed.outputs = scores
    return Facts(scores, parameters)


_CLASSIFYING = (nn.functional.cross_entropy, nn.functional.nll_loss)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """A block after which every buffer and mode of the model, and every random generator, is what it was before."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    try:
        with borrowed_randomness():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for module, name, buffer, value in buffers:
                setattr(module, name, buffer.copy_(value))


def _scores(outputs: Any, labels: Tensor, names: Sequence[str] | None) -> int | None:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool or labels.ndim == 0:
        raise LabelsAreNoClasses(dtype=str(labels.dtype).removeprefix("torch."), shape=tuple(labels.shape))
    classes = len(names) if names else int(labels.max()) + 1
    if not isinstance(outputs, Tensor):
        raise NoScores(found=type(outputs).__name__, classes=classes)
    if labels.ndim > 1 and outputs.ndim == labels.ndim + 1:  # one label per pixel: cross-entropy takes that too
        return None
    if labels.ndim > 1:
        raise LabelsAreNoClasses(dtype=str(labels.dtype).removeprefix("torch."), shape=tuple(labels.shape))
    if outputs.ndim != 2 or outputs.shape[1] == 1 or outputs.shape[0] != labels.shape[0]:
        raise NoScores(found=_shape(outputs), classes=classes)
    if names and outputs.shape[1] != len(names):
        raise ClassesMismatch(outputs=outputs.shape[1], classes=len(names))
    _in_range(labels, outputs.shape[1])
    return int(outputs.shape[1])


def require_model(model: Any) -> None:
    """Raise `NotAModel` for anything else than a module."""
    if not isinstance(model, nn.Module):
        raise NotAModel(kind=f"class {model.__name__}" if isinstance(model, type) else type(model).__name__)


def _apply(loss: Loss, outputs: Any, labels: Tensor) -> Any:
    try:
        return loss(outputs, labels)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise LossFailed(
            outputs=_shape(outputs),
            labels=_shape(labels),
            dtype=str(labels.dtype).removeprefix("torch."),
            error=str(error).strip().splitlines()[0],
        ) from error


def _single_number(value: Any, outputs: Any, labels: Tensor, training: bool) -> int | None:
    if not isinstance(value, Tensor):
        raise LossUnusable(found=type(value).__name__)
    if value.numel() != 1 or (training and not value.requires_grad):
        raise LossUnusable(found=_shape(value))
    classify = isinstance(outputs, Tensor) and outputs.ndim == 2 and outputs.shape[1] > 1
    whole = labels.ndim == 1 and not labels.is_floating_point()
    return int(outputs.shape[1]) if classify and whole else None


def _forward(model: nn.Module, inputs: Any) -> Any:
    """The forward pass; where it fails, the layer that failed is named."""
    path: list[tuple[str, nn.Module, Any]] = []  # the layers that have begun and not ended
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):  # takes no hooks
            continue
        handles.append(
            module.register_forward_pre_hook(
                lambda layer, given, name=name: path.append((name, layer, given[0] if given else None))
            )
        )
        handles.append(module.register_forward_hook(lambda *_: path.pop() and None))
    try:
        return model(inputs)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, FirstlightError):
            raise
        name, layer, given = path[-1] if path else ("", model, inputs)
        raise _diagnosis(name, layer, given, inputs, error) from error
    finally:
        for handle in handles:
            handle.remove()


def _diagnosis(name: str, layer: nn.Module, given: Any, inputs: Any, error: Exception) -> FirstlightError:
    title = f"{name} ({type(layer).__name__})" if name else type(layer).__name__
    sample = _shape(inputs, skip_batch=True)
    shape = _shape(given)
    size = given.shape if isinstance(given, Tensor) else ()
    if isinstance(layer, nn.Linear) and size and size[-1] != layer.in_features:
        flat = math.prod(size[1:])
        if len(size) > 2 and flat == layer.in_features:
            advice = "nn.Flatten()," + f" nn.Linear({layer.in_features}, {layer.out_features})"
        else:
            found = flat if len(size) > 2 else size[-1]
            advice = ("nn.Flatten(), " if len(size) > 2 else "") + f"nn.Linear({found}, {layer.out_features})"
        values = {"expected": layer.in_features, "found": size[-1], "unit": "in_features", "advice": advice}
        return FeaturesMismatch(layer=title, shape=shape, sample=sample, **values)
    if isinstance(layer, nn.modules.conv._ConvNd) and len(size) > 1 and size[1] != layer.in_channels:
        kind = type(layer).__name__
        advice = f"nn.{kind}({size[1]}, {layer.out_channels}, ...)"
        values = {"expected": layer.in_channels, "found": size[1], "unit": "in_channels", "advice": advice}
        return FeaturesMismatch(layer=title, shape=shape, sample=sample, **values)
    if isinstance(layer, nn.modules.batchnorm._BatchNorm) and len(size) > 1 and size[1] != layer.num_features:
        advice = f"nn.{type(layer).__name__}({size[1]})"
        values = {"expected": layer.num_features, "found": size[1], "unit": "num_features", "advice": advice}
        return FeaturesMismatch(layer=title, shape=shape, sample=sample, **values)
    weight = next((tensor for tensor in layer.parameters() if tensor.is_floating_point()), None)
    numbers = isinstance(given, Tensor) and not isinstance(layer, (nn.Embedding, nn.EmbeddingBag))
    if numbers and weight is not None and given.dtype != weight.dtype and not list(layer.children()):
        kinds = [str(tensor.dtype).removeprefix("torch.") for tensor in (weight, given)]
        return NumbersMismatch(layer=title, expected=kinds[0], found=kinds[1])
    return LayerFailed(layer=title, shape=shape, sample=sample, error=str(error).strip().splitlines()[0])


def _shape(value: Any, *, skip_batch: bool = False) -> str:
    """How a value is called in a message: the shape of a tensor, the type of anything else."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return str(tuple(value.shape[1:] if skip_batch else value.shape))
