"""D26 labels-cut-off: labels that are words, or fractions that lose what stands behind the point."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.failing import error_of, failure_of, line_of
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import function_around, instead
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_labels
from firstlight.locale import Text, _
from firstlight.run import Run

_WHOLE = ("long", "int", "to", "type", "astype", "LongTensor")


def find(run: Run) -> Iterator[Finding]:
    """A conversion to whole numbers that makes other classes of labels; a tensor that was to be made of words."""
    code = Code.of(run)
    for row in newest(run, "roundings") or []:
        place = Place.from_json(row["place"])
        if row["kind"] == "below" or (row["kind"] == "near" and _is_label(code, place)):
            yield Finding(
                evidence=_(
                    "Of {count} numbers, {wrong} lay directly below a whole one: {value} became {cut}.",
                    count=row["count"],
                    wrong=row["wrong"],
                    value=repr(row["value"]),
                    cut=row["cut"],
                ),
                step=row["step"],
                place=place,
                edits=_rounded(code, place),
                check="print(y.unique())  # before and after .long()",
            )
        elif row["kind"] == "merged" and (_is_label(code, place) or _is_learned(run, row)):
            yield Finding(
                evidence=_(
                    "{before} different numbers became {after}: {value} became {cut}.",
                    before=row["before"],
                    after=row["after"],
                    value=round(row["value"], 6),
                    cut=row["cut"],
                ),
                step=row["step"],
                place=place,
                check="print(y.unique())  # before and after .long()",
            )
    failure = failure_of(
        run,
        r"too many dimensions 'str'",
        r"can't convert np\.ndarray of type numpy\.(str_|object_)",
        r"new\(\): invalid data type 'str'",
        types=("ValueError", "TypeError"),
    )
    if failure is not None:
        yield Finding(evidence=error_of(failure), step=failure["step"], place=line_of(failure))


def _is_learned(run: Run, row: dict[str, Any]) -> bool:
    """Whether a model with an output for each of the numbers as they were learned these classes and no others."""
    classes = sorted(str(one) for one in row.get("classes", []))
    return bool(classes) and any(
        sorted(one["train"]) == classes and one["width"] == row["before"] for one in newest(run, "labels") or []
    )


def _is_label(code: Code, place: Place | None) -> bool:
    """Whether the line, or the function that it is part of, speaks of labels."""
    if place is None:
        return False
    around = function_around(code, place)
    name = getattr(around[1], "name", "") if around is not None else ""
    return is_labels(f"{place.text} {name}")


def _rounded(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The same with `.round()` before the conversion."""
    if place is None:
        return ()
    found: list[tuple[Unit, ast.Call]] = [
        (unit, node)
        for at, node, unit in code.calls(*_WHOLE)
        if at.file == place.file and node.lineno <= place.line <= (node.end_lineno or 0)
        and isinstance(node.func, ast.Attribute) and callee(node) in _WHOLE[:4]
    ]  # fmt: skip
    if len(found) != 1:
        return ()
    unit, node = found[0]
    assert isinstance(node.func, ast.Attribute)
    owner = ast.get_source_segment(unit.text, node.func.value)
    return instead(unit, node.func.value, f"{owner}.round()") if owner else ()


FIXED = CLASSES.replace(
    "x = centres[y]",
    "marks = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)[y]\n"
    "y = (marks / 0.1 - 1).round().long()\nx = centres[y]",
)
BROKEN = FIXED.replace(".round()", "")

rule = Rule(
    code="D26",
    name="labels-cut-off",
    voice="alarm",
    stage="data",
    question="Does each label keep its class when it becomes a whole number?",
    needs=("witness",),
    find=find,
    text=Text(
        what="Labels lose their class on the way to whole numbers.",
        why="long() and int() cut off what stands behind the point: 2.9999998 becomes 2, and 1.5 becomes 1. Words are "
        "no numbers at all.",
        do="Write .round().long(), or make a dictionary that gives each class a whole number from 0.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "measurements put into bins": CLASSES.replace(
            "x = centres[y]", "y = (torch.rand(600) / 0.25).long()\nx = centres[y]"
        ),
        "whole numbers as floats": CLASSES.replace("x = centres[y]", "y = y.float().long()\nx = centres[y]"),
        "words with numbers of their own": CLASSES.replace(
            "x = centres[y]",
            'names = ["ant", "bee", "cat", "dog"]\nnumber = {name: i for i, name in enumerate(names)}\n'
            "y = torch.tensor([number[names[i]] for i in y.tolist()])\nx = centres[y]",
        ),
    },
)
