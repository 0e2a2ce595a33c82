"""What lesson cells say about their own results, in the learner's language.

Shapes: B batch, C channels, H height, W width, K classes.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from firstlight.lessons.alive import RESULTS as ALIVE
from firstlight.lessons.notes import note, table
from firstlight.lessons.problems import NoSuchCheck
from firstlight.lessons.speed import RESULTS as SPEED
from firstlight.locale import _
from firstlight.picture import Picture


def say(name: str, /, **values: Any) -> None:
    """Show a result with a sentence.

    Args:
        name: Which result.
        values: What it is made of; see the function of that name in this module.

    Raises:
        NoSuchCheck: The lessons have no such sentence.

    Example:
        >>> say("step", before=2.5, after=2.25)
        › The loss was 2.500000 before the step and is 2.250000 after it.
    """
    if name not in _RESULTS:
        raise NoSuchCheck(name=name, known=", ".join(_RESULTS))
    _RESULTS[name](**values).display()


def _features(heights: Sequence[int], widths: Sequence[int], features: int) -> Picture:
    chains = [" → ".join(map(str, sides)) for sides in (heights, widths)]
    if chains[0] == chains[1]:
        first = [_("Height and width: {chain}", chain=chains[0])]
    else:
        first = [_("Height: {chain}", chain=chains[0]), _("Width: {chain}", chain=chains[1])]
    result = _(
        "So the first linear layer receives 16 × {height} × {width} = {features} numbers.",
        height=heights[-1],
        width=widths[-1],
        features=features,
    )
    return note("info", *first, result)


def _layers(model: Any, inputs: Any) -> Picture:
    import torch

    x = inputs
    rows = [(_("input"), _shape(x), "")]
    with torch.no_grad():
        for layer in copy.deepcopy(model).eval():  # a copy at rest: looking changes nothing in the model
            x = layer(x)
            names = [type(part).__name__ for part in layer] if isinstance(layer, torch.nn.Sequential) else []
            count = sum(p.numel() for p in layer.parameters())
            rows.append((", ".join(names) or type(layer).__name__, _shape(x), f"{count:,}" if count else ""))
    total = sum(p.numel() for p in model.parameters())
    heads = (_("layer"), _("shape of its output"), _("trainable numbers"))
    return table(heads, rows, after=_("Trainable numbers in all: {total:,}", total=total))


def _shares(shares: Any, classes: Sequence[str], label: Any = None) -> Picture:
    top = shares.topk(min(3, len(classes)))
    rows = [(classes[int(i)], f"{float(share):.1%}") for share, i in zip(top.values, top.indices, strict=True)]
    after = "" if label is None else _("The label of this picture: {name}", name=classes[int(label)])
    return table((_("the largest shares"), ""), rows, after=after)


def _slope(weight: float, loss: float, slope: float) -> Picture:
    return note(
        "info",
        _("The weight is {weight:.6f}, and the loss is {loss:.6f}.", weight=weight, loss=loss),
        _("The slope of the loss for this weight is {slope:+.6f}.", slope=slope),
    )


def _step(before: float, after: float) -> Picture:
    return note(
        "info",
        _("The loss was {before:.6f} before the step and is {after:.6f} after it.", before=before, after=after),
    )


def _two_splits(train: float, test: float) -> Picture:
    lines = [_("Accuracy on the train split: {train:.1%}, on the test split: {test:.1%}.", train=train, test=test)]
    if train - test > 0.05:
        lines.append(_("The model is clearly better on what it learned from. This is called overfitting."))
    elif train - test > 0.01:
        lines.append(_("The model is a little better on what it learned from. That is usual."))
    else:
        lines.append(_("On new samples the model is about as good as on those it learned from."))
    return note("info", *lines)


def _better(before: float, after: float, samples: int) -> Picture:
    line = _("Accuracy on the test split: first net {before:.1%}, small CNN {after:.1%}.", before=before, after=after)
    fewer = round((after - before) * samples)
    if fewer > 0:
        more = _("Of {samples:,} pictures the CNN gets {fewer:,} more right.", samples=samples, fewer=fewer)
        return note("yes", line, more)
    return note(
        "no",
        line,
        _(
            "The CNN is not better this time. If its training was stopped early, run its cells again "
            "from the heading of part 7."
        ),
    )


def _saved(file: str, size: int) -> Picture:
    return note("info", _("{file} takes {size:,} KB.", file=file, size=round(size / 1000)))


def _products(products: dict[int, dict[str, float]], device: Any) -> Picture:
    names = list(next(iter(products.values())))
    heads = (_("size of the matrices"), *(_("{device}, in milliseconds", device=name.upper()) for name in names))
    rows = [
        (f"{side} × {side}", *(f"{1000 * seconds:.3f}" for seconds in times.values()))
        for side, times in products.items()
    ]
    if len(names) == 1:
        after = _(
            "This computer has no GPU that PyTorch can use, so the CPU does all the work. For this "
            "lesson that is enough."
        )
    else:
        after = _("Device chosen: {device}. For small matrices the CPU is often as fast.", device=str(device))
    return table(heads, rows, after=after)


_RESULTS: dict[str, Callable[..., Picture]] = {
    "features": _features,
    "layers": _layers,
    "shares": _shares,
    "slope": _slope,
    "step": _step,
    "two_splits": _two_splits,
    "better": _better,
    "saved": _saved,
    "products": _products,
    **SPEED,
    **ALIVE,
}


def _shape(x: Any) -> str:
    return " × ".join(str(int(n)) for n in x.shape)
