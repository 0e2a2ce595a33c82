"""E07 threshold-on-logits: a logit is compared with 0.5, or the best of one single column is asked for."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import BINARY
from firstlight.doctor.source_lines import replaced, unit_of
from firstlight.doctor.told import told_otherwise
from firstlight.locale import Text, _
from firstlight.run import Run

_BEYOND = 0.85


def find(run: Run) -> Iterator[Finding]:
    """Either, in an evaluation of a model that learned with logits."""
    for one in newest(run, "metric_operations") or []:
        place = Place.from_json(one.get("made") or one["place"])
        if one.get("threshold") == 0.5 and not one["went_backward"]:
            if not _are_logits(one):
                continue
            yield Finding(
                evidence=_(
                    "{outside} of the values that are compared with 0.5 lie below 0 or above 1, and {between} lie "
                    "between 0 and 0.5.",
                    outside=f"{one['outside']:.0%}",
                    between=f"{one['between']:.0%}",
                ),
                step=one["step"],
                place=place,
                edits=_zero(Code.of(run), place),
                check="print(outputs.min(), outputs.max())",
            )
            return
        shape = one.get("from") or []
        if (
            one["kind"] == "equal"
            and one.get("best")
            and shape
            and shape[one["dim"]] == 1
            and (one["labels"] or [0, 0])[1] >= 1
        ):
            if len(shape) != 2 or one["dim"] != 1:
                continue
            yield Finding(
                evidence=_(
                    "The largest of one single column was asked for {rows} times: the answer is always 0.",
                    rows=one["size"],
                ),
                step=one["step"],
                place=place,
                check="print(outputs.shape)",
            )
            return
    yield from told_otherwise(run, ("half",), lambda node: isinstance(node, ast.Compare) and "0.5" in ast.unparse(node))


def _are_logits(one: dict[str, Any]) -> bool:
    """Whether what is compared cannot be shares: some lie beyond 0 and 1, by the loss that was learned with."""
    losses = one["losses"]
    if "binary_cross_entropy_with_logits" in losses:
        return bool(one["outside"])
    # Learned by squares, half of the answers to 0 and 1 lie beyond them: nearly all do of scores without bounds only.
    return not losses and one["outside"] > _BEYOND and one["labels"] == [0.0, 1.0]


def _zero(code: Code, place: Place | None) -> tuple[Edit, ...]:
    unit = unit_of(code, place)
    if unit is None or place is None:
        return ()
    for old, new in (
        ("> 0.5", "> 0"),
        (">= 0.5", ">= 0"),
        (">0.5", "> 0"),
        ("> .5", "> 0"),
        ("gt(0.5)", "gt(0)"),
        ("ge(0.5)", "ge(0)"),
    ):
        edits = replaced(unit, place.line, old, new)
        if edits:
            return edits
    return ()


BROKEN = BINARY.replace("(logits > 0)", "(logits > 0.5)")

rule = Rule(
    code="E07",
    name="threshold-on-logits",
    voice="alarm",
    stage="evaluation",
    question="Is the threshold one for the scale of the output?",
    needs=("metric_operations", "printed"),
    find=find,
    text=Text(
        what="The raw output is turned into a class in a way that does not fit its scale.",
        why="The loss takes logits: 0 is the middle, not 0.5; and the largest of one column is always column 0.",
        do="Compare logits with 0, or compare torch.sigmoid(logits) with 0.5.",
    ),
    broken=BROKEN,
    fixed=BINARY,
    lookalikes={
        "a sigmoid comes first": BINARY.replace("(logits > 0)", "(logits.sigmoid() > 0.5)"),
        "a regression with a threshold": BINARY.replace("nn.BCEWithLogitsLoss()", "nn.MSELoss()").replace(
            "(logits > 0)", "(logits > 0.5)"
        ),
    },
    explains=("E11", "E12"),
)
