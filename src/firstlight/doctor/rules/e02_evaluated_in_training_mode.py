"""E02 evaluated-in-training-mode: dropout or batch norm behave as in training while the model is evaluated."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import Spot, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES, LOADERS
from firstlight.doctor.source_lines import evaluation_block, indent_of, model_at, unit_of
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A model that learned, whose evaluations nearly all ran in training mode."""
    for one in newest(run, "evaluations") or []:
        if not one["learned"] or not one["acting"] or one["acting"] < 0.9 * one["scored"] or one["acting_rows"] < 16:
            continue
        if not one["fresh"] and not _scores_other_rows(run):
            continue  # rows that are chosen among
        if one["prints"] > one["print_phases"] + 1:
            continue  # asked again and again, as Monte Carlo dropout does
        code, place = Code.of(run), Place.from_json(one["acting_place"])
        edits, named = modes(code, place), _named_only(code)
        if named is not None:
            edit = named.replaced(".eval", ".eval()")
            place, edits = named.place, (edit,) if edit is not None else ()
        yield Finding(
            evidence=_(
                "{count} of {calls} evaluations ran in training mode, with dropout or batch norm at work.",
                count=one["acting"],
                calls=one["scored"],
            ),
            step=one["acting_step"],
            place=place,
            edits=edits,
            check="print(model.training)",
        )


def _scores_other_rows(run: Run) -> bool:
    """Whether the model is always given all rows, as nets of one graph are, and other ones are scored than learned."""
    learned = {
        call["labels"][0]
        for call in newest(run, "loss_calls") or []
        if call["labels"] and call["samples"] and call["labels"][0] < call["samples"]
    }
    scored = {
        one["result"][0]
        for one in newest(run, "metric_operations") or []
        if one.get("result") and one["result"][0] < one["size"] == one.get("rows")
    }
    return bool(learned and scored - learned)


def _named_only(code: Code) -> Spot | None:
    """`model.eval` without its brackets: a line that names the method and calls nothing."""
    for spot in spots(code):
        value = spot.node.value if isinstance(spot.node, ast.Expr) else None
        if isinstance(value, ast.Attribute) and value.attr == "eval" and spot.alone:
            return spot
    return None


def modes(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """Eval mode before the evaluation, and training mode after it where nothing else brings that back."""
    unit, name = unit_of(code, place), model_at(code, place)
    if unit is None or place is None or not name:
        return ()
    block = evaluation_block(unit, place.line)
    if block is None:
        return ()
    line = getattr(block, "lineno", place.line)
    indent = indent_of(unit, line)
    before = Edit(line=line, old=0, new=(f"{indent}{name}.eval()",), file=unit.file)
    if not indent or any(".train()" in one.text for one in code.units):
        return (before,)
    end = getattr(block, "end_lineno", line) or line
    return (Edit(line=end + 1, old=0, new=(f"{indent}{name}.train()",), file=unit.file), before)


BROKEN = CLASSES.replace("model.eval()\n", "")

rule = Rule(
    code="E02",
    name="evaluated-in-training-mode",
    voice="alarm",
    stage="evaluation",
    question="Is the model in eval mode where it is evaluated?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The model is evaluated in training mode.",
        why="Dropout still removes values at random and batch norm still uses the batch, so the result is wrong.",
        do="Call model.eval() before the evaluation, and model.train() before the training goes on.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "nothing in it depends on the mode": BROKEN.replace("nn.Dropout(0.2), ", ""),
        "Monte Carlo dropout": BROKEN.replace(
            "(model(test_x).argmax(1) == test_y)",
            "(torch.stack([model(test_x) for _ in range(5)]).mean(0).argmax(1) == test_y)",
        ),
        "Monte Carlo dropout over a loader": LOADERS.replace("    model.eval()\n", "").replace(
            "        for inputs, labels in test_loader:",
            "        for inputs, labels in [b for _ in range(3) for b in test_loader]:",
        ),
        "rows with a high loss are chosen": CLASSES.replace(
            "        optimizer.zero_grad()\n",
            "        optimizer.zero_grad()\n        with torch.no_grad():\n            each = "
            "nn.functional.cross_entropy("
            "model(train_x[rows]), train_y[rows], reduction='none')\n        rows = rows[each.argsort()[8:]]\n",
        ).split("model.eval()")[0],
    },
    explains=("E13",),
)
