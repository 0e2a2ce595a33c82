"""D11 blank-inputs: all samples are the same single value, whatever their labels."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_BLANK = ("zeros", "empty", "ones", "zeros_like", "full")


def find(run: Run) -> Iterator[Finding]:
    """A model that learned from several rows at a time, all of them blank, with labels that differ."""
    for one in newest(run, "inputs") or []:
        if one["learned"] < 3 or one["several"] < 3 or one["same"] < one["several"] or not one["same_value"]:
            continue
        if not one["same_labels_differ"]:
            continue
        yield Finding(
            evidence=_(
                "All rows of {count} batches are equal, and hold one value only, while the labels differ.",
                count=one["same"],
            ),
            step=one["same_step"],
            place=_truncated(Code.of(run)) or _canvas(Code.of(run)) or Place.from_json(one["place"]),
            check="print(inputs.min(), inputs.max())",
        )
        return
    yield from _one_of_several(run)


def _one_of_several(run: Run) -> Iterator[Finding]:
    """Batches of a loader in which one of the inputs, as pictures beside a table, is zero from end to end."""
    for feed in newest(run, "feeds") or []:
        inputs = feed.get("blank", [])[:-1]  # the labels come last
        if not feed["learned"] or feed["batches"] < 3 or len(inputs) < 2 or not any(inputs) or all(inputs):
            continue
        code = Code.of(run)
        truncated = _truncated(code)
        yield Finding(
            evidence=_(
                "Input {number} of the {count} in a batch holds nothing but zeros, in all batches that were looked at.",
                number=inputs.index(True) + 1,
                count=len(inputs),
            ),
            step=feed["step"],
            place=truncated or _canvas(code) or Place.from_json(feed["place"]),
            voice=None if truncated else "question",  # a mask that hides nothing is all zeros, too
            text=_ONE,
        )
        return


def _truncated(code: Code) -> Place | None:
    """The line that makes an array of whole numbers, into which shares such as `picture / 255` are written."""
    for _place, made, unit in code.walk(ast.Assign):
        kinds = [ast.unparse(word.value) for node in ast.walk(made.value) if isinstance(node, ast.Call)
                 for word in node.keywords if word.arg == "dtype"]  # fmt: skip
        if not _makes(made, *_BLANK) or not any("int" in kind for kind in kinds):
            continue
        name = ast.unparse(made.targets[0])
        for node in unit.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                divides = any(
                    isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div) for one in ast.walk(node.value)
                )
                if ast.unparse(node.targets[0].value) == name and divides:
                    return unit.place(made)
    return None


def _canvas(code: Code) -> Place | None:
    """The line that was to fill an array of zeros and does not; else one never written to: copied, given back, made."""
    for unit in code.units:
        for loop in (n for n in unit.nodes if isinstance(n, ast.For)):
            given_away = _renamed(loop)
            if given_away is not None:
                return unit.place(given_away)
    for unit in code.units:
        scopes = [n for n in unit.nodes if isinstance(n, ast.FunctionDef)] + [unit.tree]
        for scope in scopes + [n for n in unit.nodes if isinstance(n, ast.ClassDef)]:
            kind = ast.Attribute if isinstance(scope, ast.ClassDef) else ast.Name
            blank = {}
            for node in ast.walk(scope):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], kind) and _makes(node, *_BLANK):
                    blank[ast.unparse(node.targets[0])] = node
            written = {
                ast.unparse(target.value)
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign | ast.AugAssign)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Subscript)
            } | {
                ast.unparse(node.func.value)
                for node in ast.walk(scope)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_")
            }
            for name, made in blank.items():
                if name in written:
                    continue
                for node in ast.walk(scope):
                    if isinstance(node, ast.Assign) and _makes(node, "copy", "clone") and name in _names(node.value):
                        return unit.place(node)
                return unit.place(made)
    return None


def _renamed(loop: ast.For) -> ast.Assign | None:
    """In `for row in rows:`, the assignment `row = ...` that was to write into rows, and only gives the name away.

    What is made of the row itself, as `row = row.to(device)` is, and what is used further on, is meant so.
    """
    names = _names(loop.target)
    for node in ast.walk(loop):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        if name not in names or name in _names(node.value):
            continue
        used = any(
            isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load) for one in ast.walk(loop)
        )
        if not used:
            return node
    return None


def _makes(node: ast.Assign, *names: str) -> bool:
    return isinstance(node.value, ast.Call) and callee(node.value) in names


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


BROKEN = CLASSES.replace("train_x, train_y,", "x = torch.zeros_like(x)\ntrain_x, train_y,", 1)

_ONE = Text(
    what="One of the inputs is blank in every sample.",
    why="The model learns from the others alone, and what this one should have told is missing.",
    do="Show a few samples of this input, and look where they are read, scaled or drawn.",
)

rule = Rule(
    code="D11",
    name="blank-inputs",
    voice="alarm",
    stage="data",
    question="Do the inputs differ from each other?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="All inputs are the same: every sample is blank.",
        why="From equal inputs, no model can tell the labels apart; it learns how frequent they are and no more.",
        do="Show a few samples, and look where they are read or drawn: maybe one array is filled, another given back.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("torch.zeros_like(x)", "x + 0"),
    lookalikes={
        "one sample at a time": CLASSES.replace("split(32)", "split(1)").replace(
            "range(4):\n    model", "range(1):\n    model"
        ),
        "a model of a constant": CLASSES.replace("model(train_x[rows])", "model(torch.ones(len(rows), 8))").replace(
            "train_y[rows])", "torch.zeros(len(rows), dtype=torch.int64))"
        ),
    },
    explains=("D21", "D13", "D01", "D14", "E01", "E11", "E12", "D17", "L15", "D02"),
)
