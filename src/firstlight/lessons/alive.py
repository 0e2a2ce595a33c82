"""What the lesson on the living graph says about its results: looks at a run, trees, and memory.

How fast something was is said by `speed.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from firstlight.lessons.notes import note, table
from firstlight.locale import _
from firstlight.locale.units import size
from firstlight.picture import Picture

_CLEARLY = 0.02  # a share of samples that chance does not explain on a test split of 2,000


def _looks(run: Any) -> Picture:
    """The steps at which the graph of a run was looked at."""
    rows = []
    for fact in run.facts("graph"):
        changes = fact.data.get("changes")
        changed = "" if changes is None else f"{changes:,}"
        rows.append((str(fact.step), f"{fact.data['operations']:,}", changed))
    if not rows:
        return note("no", _("No step was looked at. Run the cell with the loop again."))
    heads = (_("step"), _("operations"), _("different from the look before"))
    return table(heads, rows)


def _trees(accuracy: float, frequent: float) -> Picture:
    line = _(
        "Accuracy on trees it has never seen: {accuracy:.1%}. Always the most frequent class: {frequent:.1%}.",
        accuracy=accuracy,
        frequent=frequent,
    )
    if accuracy > frequent + _CLEARLY:
        return note(
            "yes", line, _("It has learned something about arithmetic. With more epochs it learns a little more.")
        )
    return note(
        "info",
        line,
        _("That is hardly better. If the training was stopped early, run its cell again; else raise EPOCHS."),
    )


def _foretold(forecast: int, measured: int) -> Picture:
    apart = abs(forecast - measured) / measured if measured else 0.0
    line = _(
        "Foretold: {forecast} at most. Measured: {measured}. They are {apart:.1%} apart.",
        forecast=size(forecast),
        measured=size(measured),
        apart=apart,
    )
    if apart <= 0.1:
        return note("yes", line, _("The forecast was good enough to plan with."))
    return note(
        "info",
        line,
        _("Some operations take more for a moment, and no shape tells of it. That differs from computer to computer."),
    )


def _batches(forecasts: Mapping[int, Any]) -> Picture:
    rows = [
        (
            f"{count:,}",
            size(found.parameters + found.buffers + found.gradients + found.optimizer),
            size(found.activations),
            size(found.peak),
        )
        for count, found in forecasts.items()
    ]
    heads = (_("batch size"), _("weights, gradients, optimizer"), _("activations"), _("at most"))
    smallest, largest = min(forecasts), max(forecasts)
    after = _(
        "The batch became {times:.0f} times as large, the activations {grown:.0f} times. The weights do not care.",
        times=largest / smallest,
        grown=forecasts[largest].activations / max(forecasts[smallest].activations, 1),
    )
    return table(heads, rows, after=after)


RESULTS: dict[str, Callable[..., Picture]] = {
    "looks": _looks,
    "trees": _trees,
    "foretold": _foretold,
    "batches": _batches,
}
