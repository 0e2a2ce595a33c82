"""D04 inputs-not-scaled: the inputs are far larger than what fresh weights are made for."""

import ast
import math
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_LARGE = 60  # counts to 16, z-scores to 12 and one-hot counts stay below; bytes and raw columns do not
_OWN_SCALE = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "Embedding", "RMSNorm")


def find(run: Run) -> Iterator[Finding]:
    """Large inputs, and a loss that begins far above guessing or a training that does not get on."""
    for one in newest(run, "inputs") or []:
        values = [use for use in one["train"] if "mean" in use and use["finite"]]
        if not values or one["learned"] < 3 or any(kind.startswith(_OWN_SCALE) for kind in one["kinds"][:1]):
            continue
        largest = max(max(abs(use["low"]), abs(use["high"])) for use in values)
        start = one["start"]
        if largest <= _LARGE or start is None:
            continue
        classes = start["classes"] if "cross_entropy" in start["loss"] and start["classes"] > 1 else 2
        guess = math.log(classes) if "entropy" in start["loss"] or start["loss"] == "nll_loss" else None
        place = _data(Code.of(run)) or Place.from_json(one["place"])
        tried = _better(run)
        if tried is not None:
            yield Finding(
                evidence=_(
                    "The inputs reach {largest}. Tried on copies, the same steps end at a loss of {scaled} where the "
                    "inputs are scaled, and of {plain} as they are.",
                    largest=f"{largest:.4g}",
                    scaled=f"{tried['scaled']:.3g}",
                    plain=f"{tried['plain']:.3g}",
                ),
                step=2,
                place=place,
                check="print(inputs.min(), inputs.max(), inputs.std())",
                text=_PROVED,
            )
            continue
        above = guess is not None and not start["value"] < 3 * guess
        uneven = one["column_spread"] is not None and one["column_spread"] > 100
        if not above and not (uneven and _stands_still(one)):
            continue
        yield Finding(
            evidence=_(
                "The inputs reach {largest}, and the first loss is {loss}.",
                largest=f"{largest:.4g}",
                loss=f"{start['value']:.3g}",
            ),
            step=2,
            place=place,
            voice="question",
            check="print(inputs.min(), inputs.max(), inputs.std())",
        )


def _better(run: Run) -> dict[str, float] | None:
    """The experiment, where a few steps with scaled inputs come to half of the loss that all steps have come to."""
    progress = newest(run, "progress") or {}
    tried, last = progress.get("scaled"), progress.get("last")
    if tried is None:
        return None
    reached = last if isinstance(last, float) and math.isfinite(last) else math.inf
    return dict(tried) if tried["scaled"] < 0.5 * min(tried["plain"], reached) else None


def _stands_still(one: dict[str, object]) -> bool:
    """Whether a number is predicted no better than by its mean, or classes hardly better than by the most frequent."""
    targets, loss, accuracy = one["targets"], one["loss"], one["accuracy"]
    if isinstance(accuracy, dict):
        return bool(accuracy["value"] < 0.6)
    if isinstance(targets, dict) and isinstance(loss, list):
        return not loss[1] < 0.5 * max(targets["variance"], 1e-12)
    return False


def _data(code: Code) -> Place | None:
    """The line that makes tensors or a dataset of the samples."""
    for names in (("TensorDataset",), ("from_numpy", "FloatTensor", "tensor"), ("DataLoader",)):
        for place, _node, _unit in code.calls(*names):
            return place
    for place, node, _unit in code.walk(ast.Assign):
        if any(isinstance(n, ast.Call) and callee(n) in ("float", "astype") for n in ast.walk(node)):
            return place
    return None


_PROVED = Text(
    what="The inputs are very large, and nothing scales them.",
    why="Fresh weights are made for inputs around 1. Large ones give outputs and steps far too large.",
    do="Divide bytes by 255, or subtract the mean of the training samples and divide by their standard deviation.",
)
BROKEN = CLASSES.replace("train_x, train_y,", "x = 100 * x + 500\ntrain_x, train_y,", 1)

rule = Rule(
    code="D04",
    name="inputs-not-scaled",
    voice="alarm",
    stage="data",
    question="Are the inputs of a size that fresh weights can work with?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="The inputs are very large, and nothing scales them. Is that intended?",
        why="Fresh weights are made for inputs around 1. Large ones give outputs and steps far too large.",
        do="Divide bytes by 255, or subtract the mean of the training samples and divide by their standard deviation.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "a batch norm comes first": BROKEN.replace("nn.Linear(8, 32)", "nn.BatchNorm1d(8), nn.Linear(8, 32)"),
        "counts up to sixteen": CLASSES.replace(
            "train_x, train_y,", "x = (2 * x + 6).round().clamp(0, 16)\ntrain_x, train_y,", 1
        ),
    },
    explains=("M17", "M18", "L14", "L15", "L18", "E11", "E12", "D07"),
)
