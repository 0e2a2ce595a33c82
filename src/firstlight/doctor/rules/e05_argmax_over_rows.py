"""E05 argmax-over-rows: the best row of each class is taken for the best class of each row."""

import ast
import re
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import unit_of
from firstlight.doctor.told import told_otherwise
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The largest over dimension 0 of an output (N, C), compared with labels of rows, in tensors or out of them."""
    for one in newest(run, "metric_operations") or []:
        shape = one.get("from") or []
        axis = one["class_axis"]
        if len(shape) > 2 and axis is not None and one["kind"] == "equal" and one.get("best"):
            if shape == one["output"] and one["dim"] != axis and not one.get("moved") and shape[one["dim"]] > 1:
                place = Place.from_json(one["made"]) or Place.from_json(one["place"])
                yield Finding(
                    evidence=_(
                        "In an output of shape {shape}, the loss reads classes in dimension {axis}; the largest value "
                        "was asked for over dimension {dim}, and the answer was compared with labels.",
                        shape=tuple(shape),
                        axis=axis,
                        dim=one["dim"],
                    ),
                    step=one["step"],
                    place=place,
                    edits=_other_dimension(Code.of(run), place, axis),
                    check="print(outputs.shape)",
                )
                return
            continue
        if (
            one["kind"] not in ("equal", "taken")
            or not one.get("best")
            or one.get("dim") != 0
            or len(shape) != 2
            or shape[1] < 2
        ):
            continue
        if shape != one["output"] or shape[0] != one["size"] or one.get("moved") or one["arange"]:
            continue  # turned around first, or every row is its own class, as in contrastive learning
        place = Place.from_json(one["made"]) or Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "An output of {rows} rows and {classes} classes was asked for its largest value over dimension 0, "
                "and the answer was compared with labels.",
                rows=shape[0],
                classes=shape[1],
            ),
            step=one["step"],
            place=place,
            edits=_other_dimension(Code.of(run), place),
            check="print(outputs.shape, outputs.argmax(dim=1).shape)",
        )
        return
    yield from told_otherwise(run, ("axis",), lambda node: isinstance(node, ast.Call) and callee(node) == "argmax")
    if any(_over_rows(node) for _place, node, _unit in Code.of(run).walk(ast.Call)):
        yield from told_otherwise(run, ("axis_of_rows", "axis_of_all", "axis_of_batches"), _over_rows)


def _over_rows(node: ast.AST) -> bool:
    """Whether the largest is asked for over dimension 0."""
    if not isinstance(node, ast.Call) or callee(node) not in ("argmax", "max", "topk", "sort", "argsort"):
        return False
    given = [*node.args, *(one.value for one in node.keywords)]
    return any(isinstance(one, ast.Constant) and one.value == 0 for one in given)


def _other_dimension(code: Code, place: Place | None, axis: int = 1) -> tuple[Edit, ...]:
    unit = unit_of(code, place)
    if unit is None or place is None:
        return ()
    text = unit.text.splitlines()[place.line - 1]
    for old, new in (
        (r"\b(dim|axis)\s*=\s*-?\d\b", rf"\1={axis}"),
        (r"(argmax|max)\(-?\d\)", rf"\1({axis})"),
        (r"((?:argmax|max)\([^()]*),\s*-?\d\)", rf"\1, {axis})"),
    ):
        if len(re.findall(old, text)) == 1:
            return (Edit(line=place.line, old=1, new=(re.sub(old, new, text),), file=unit.file),)
    return ()


BROKEN = LOADERS.replace("outputs.argmax(1)", "outputs.argmax(0)").replace("batch_size=40", "batch_size=4")

rule = Rule(
    code="E05",
    name="argmax-over-rows",
    voice="alarm",
    stage="evaluation",
    question="Is the best class looked for along the classes?",
    needs=("metric_operations", "printed"),
    find=find,
    text=Text(
        what="The prediction is taken along the batch instead of along the classes.",
        why="Dimension 0 counts samples. The answer is the best sample of a class, not the best class of a sample.",
        do="Write outputs.argmax(dim=1), or torch.max(outputs, 1).",
    ),
    broken=BROKEN,
    fixed=LOADERS.replace("batch_size=40", "batch_size=4"),
    lookalikes={
        "the best sample of each class is shown, beside the accuracy": LOADERS.replace(
            "            total += len(labels)\n",
            "            total += len(labels)\n            print(outputs.argmax(0).tolist(), labels.tolist())\n",
        ),
        "classes come first": BROKEN.replace("outputs.argmax(0)", "outputs.T.argmax(0)"),
    },
    explains=("E11",),
)
