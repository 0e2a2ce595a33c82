"""E06 column-against-row: predictions (N, 1) are compared with labels (N,), which gives N times N answers."""

import ast
import math
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import BINARY
from firstlight.doctor.source_lines import unit_of
from firstlight.doctor.told import told_otherwise
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A comparison of an output with labels that has more answers than either has values."""
    for one in newest(run, "metric_operations") or []:
        if one["kind"] != "equal":
            continue
        mine, label, result = (math.prod(one[k]) for k in ("mine", "label", "result"))
        if result <= max(mine, label) or mine != one["size"] or label != one["size"]:
            continue
        place = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "Predictions of shape {mine} were compared with labels of shape {label}: {result} answers for {rows} "
                "samples.",
                mine=tuple(one["mine"]),
                label=tuple(one["label"]),
                result=result,
                rows=one["size"],
            ),
            step=one["step"],
            place=place,
            edits=_flat(Code.of(run), place),
            check="print(predicted.shape, labels.shape, (predicted == labels).shape)",
        )
        return
    yield from told_otherwise(
        run, ("outer",), lambda node: isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)
    )


def _flat(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """Both sides of the only comparison of the line, without dimensions of size 1."""
    unit = unit_of(code, place)
    if unit is None or place is None:
        return ()
    found = [
        n for n in unit.nodes
        if isinstance(n, ast.Compare) and len(n.ops) == 1 and isinstance(n.ops[0], ast.Eq | ast.NotEq)
        and n.lineno == n.end_lineno == place.line
    ]  # fmt: skip
    if len(found) != 1 or not unit.text.isascii():
        return ()
    text = unit.text.splitlines()[place.line - 1]
    sides = [found[0].left, found[0].comparators[0]]
    for node in reversed(sides):
        if node.end_col_offset is None:
            return ()
        old = text[node.col_offset : node.end_col_offset]
        plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        text = text[: node.col_offset] + (old if plain else f"({old})") + ".flatten()" + text[node.end_col_offset :]
    return (Edit(line=place.line, old=1, new=(text,), file=unit.file),)


BROKEN = BINARY.replace("logits = model(x[480:]).squeeze(1)", "logits = model(x[480:])")

rule = Rule(
    code="E06",
    name="column-against-row",
    voice="alarm",
    stage="evaluation",
    question="Are predictions and labels compared one by one?",
    needs=("metric_operations", "printed"),
    find=find,
    text=Text(
        what="Each prediction is compared with the labels of all samples.",
        why="A column of shape (N, 1) and a row of shape (N,) are stretched to a table of N times N answers.",
        do="Give both the same shape before ==, for example with predictions.squeeze(1).",
    ),
    broken=BROKEN,
    fixed=BINARY,
    lookalikes={"both are columns": BROKEN.replace("predicted == y[480:]", "predicted == y[480:, None]")},
    explains=("E11",),
)
