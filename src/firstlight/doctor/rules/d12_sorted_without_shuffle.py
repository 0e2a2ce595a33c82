"""D12 sorted-without-shuffle: the samples come class after class."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import around, indent_of, unit_of
from firstlight.locale import Text, _
from firstlight.run import Run

_CLASSES = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


def find(run: Run) -> Iterator[Finding]:
    """A first epoch in which most batches hold one class or two, and the same label follows itself nearly always."""
    feeds = newest(run, "feeds") or []
    for one in newest(run, "labels") or []:
        order = one["order"]
        if order is None or order["batches"] < 5 or order["classes"] < 2 or order["few"] <= 0.6 * order["batches"]:
            continue
        # In shuffled rows a label changes nearly as often as chance says, however few classes a batch is drawn from
        # (episodes, tasks one after the other); sorted rows change once for each class. A quarter lies far from both.
        if order["changes"] > 0.25 * order["expected"] or not set(one["losses"]) & set(_CLASSES):
            continue
        # Tasks or episodes return to their classes; sorted classes come once.
        if order["blocks"] > 2 * order["classes"] + 1:
            continue
        feed = feeds[order["feed"]] if 0 <= order["feed"] < len(feeds) else None
        if feed is not None and feed["dataset"] and not feed["sequential"]:
            continue  # a sampler of theirs wants it so
        code = Code.of(run)
        place, edits = (
            _loader(code, feed) if feed is not None and feed["made"] else _loop(code, Place.from_json(order["place"]))
        )
        yield Finding(
            evidence=_(
                "{few} of {batches} batches of the first epoch hold at most {most} of {classes} classes; the label "
                "changes {changes} times in {rows} rows, where chance would give {expected}.",
                few=order["few"],
                batches=order["batches"],
                most=order["most"],
                classes=order["classes"],
                changes=order["changes"],
                rows=order["rows"],
                expected=round(order["expected"]),
            ),
            step=order["step"],
            place=place,
            edits=edits,
            check="for inputs, labels in loader:\n    print(labels.unique())",
        )


def _loader(code: Code, feed: dict[str, object]) -> tuple[Place | None, tuple[Edit, ...]]:
    place = Place.from_json(feed["made"])
    unit = unit_of(code, place)
    if unit is None or place is None:
        return place, ()
    for node in unit.nodes:
        if not isinstance(node, ast.Call) or not node.lineno <= place.line <= (node.end_lineno or 0):
            continue
        if not callee(node).endswith("Loader") or node.end_lineno is None or node.end_col_offset is None:
            continue
        lines = unit.text.splitlines()
        told = next((k for k in node.keywords if k.arg == "shuffle"), None)
        if told is not None:
            if not isinstance(told.value, ast.Constant) or told.value.lineno != told.value.end_lineno:
                return place, ()
            line, begin, end, new = told.value.lineno, told.value.col_offset, told.value.end_col_offset, "True"
        else:
            line, begin = node.end_lineno, node.end_col_offset - 1
            before = lines[line - 1][:begin].rstrip()
            end, new = begin, " shuffle=True" if before.endswith(",") else ", shuffle=True"
            if not before:
                return place, ()
        text = lines[line - 1]
        return place, (Edit(line=line, old=1, new=(text[:begin] + new + text[end:],), file=unit.file),)
    return place, ()


def _loop(code: Code, place: Place | None) -> tuple[Place | None, tuple[Edit, ...]]:
    """The loop over slices around a call, and an order drawn before it where the sliced names are sure."""
    unit = unit_of(code, place)
    if unit is None or place is None:
        return place, ()
    path = around(unit, place.line)
    loop = next((node for node in reversed(path) if isinstance(node, ast.For)), None)
    if loop is None:
        return place, ()
    names = {
        node.value.id: None
        for node in ast.walk(loop)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and isinstance(node.value, ast.Name)
        and node.slice.lower is not None and node.slice.upper is not None
    }  # fmt: skip
    function = next((node for node in reversed(path) if isinstance(node, ast.FunctionDef)), None)
    known = {a.arg for a in function.args.args} if function is not None else None
    if len(names) != 2 or (known is not None and not set(names) <= known):
        return unit.place(loop), ()
    indent, (first, second) = indent_of(unit, loop.lineno), tuple(names)
    new = (
        f"{indent}order = torch.randperm(len({first}))",
        f"{indent}{first}, {second} = {first}[order], {second}[order]",
    )
    return unit.place(loop), (Edit(line=loop.lineno, old=0, new=new, file=unit.file),)


BROKEN = LOADERS.replace(", shuffle=True", "")
SLICES = LOADERS.replace(
    "for inputs, labels in train_loader:",
    "for i in range(0, 600, 20):\n        inputs, labels = x[i : i + 20], y[i : i + 20]",
)

rule = Rule(
    code="D12",
    name="sorted-without-shuffle",
    voice="alarm",
    stage="data",
    question="Are the classes mixed in each batch?",
    needs=("labels",),
    find=find,
    text=Text(
        what="The training samples are sorted by class, and they are not shuffled.",
        why="Each batch then pulls the model to one class, and the next batches make it forget what it learned.",
        do="Write shuffle=True in the DataLoader of the training samples, or index them with torch.randperm.",
    ),
    broken=BROKEN,
    fixed=LOADERS,
    lookalikes={
        "slices of rows that were mixed before": SLICES.replace(
            "test_y =", "o = torch.randperm(600)\nx, y = x[o], y[o]\ntest_y =", 1
        ),
        "balanced batches, each sorted": SLICES.replace(
            "test_y =", "o = torch.arange(600).view(4, 150).T.flatten()\nx, y = x[o], y[o]\ntest_y =", 1
        ),
        "two tasks one after the other, mixed inside": SLICES.replace(
            "test_y =",
            "o = torch.cat([torch.randperm(300), 300 + torch.randperm(300)])\nx, y = x[o], y[o]\ntest_y =",
            1,
        ),
    },
    explains=("E11", "E12", "D17", "L14", "D13"),
)
