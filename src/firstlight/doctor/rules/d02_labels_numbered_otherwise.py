"""D02 labels-numbered-otherwise: the classes of training and evaluation do not have the same numbers."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.raised import label_out_of_range
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_held_back, is_labels
from firstlight.locale import Text, _
from firstlight.run import Run

_MAKERS = ("fit_transform", "fit", "unique", "factorize", "sorted", "enumerate", "Categorical")
_CUTS = ("clamp", "clamp_", "clip", "minimum", "maximum", "min", "max", "where", "fmin", "fmax")
_SINGLE = ("cross_entropy", "nll_loss")


def find(run: Run) -> Iterator[Finding]:
    """A class that is evaluated and was never learned, or classes that would be right under other numbers."""
    yield from label_out_of_range(run)
    code = Code.of(run)
    tested = {one["model"]: one for one in newest(run, "evaluations") or []}
    trained = {one["model"]: one for one in newest(run, "inputs") or []}
    for said in newest(run, "printed") or []:  # what was printed is the share of answers that are the labels themselves
        if said["what"] == "right" and said["model"] in tested:
            tested[said["model"]] = {**tested[said["model"]], "direct": True}
    for one in newest(run, "labels") or []:
        yield from _merged(one, code)
        if not set(one["losses"]) & set(_SINGLE):
            continue
        model = tested.get(one["model"])
        if model is not None and model["changed"]:
            continue
        train, evaluation = one["train"], one["evaluation"]
        new = {
            name: count
            for name, count in evaluation.items()
            if name not in train and name not in one["later"] and count >= 5
        }
        if new and sum(train.values()) >= 300 and one["epoch_whole"]:
            yield Finding(
                evidence=_(
                    "{count} evaluated samples have a label ({labels}) that none of {rows} training samples had.",
                    count=sum(new.values()),
                    labels=", ".join(new),
                    rows=sum(train.values()),
                ),
                step=one["evaluation_step"],
                place=_numbering(code) or _first(one["evaluation_place"]),
                # Else they may be what is tested.
                voice=None if _has_room(new, one["width"], model) or _is_shifted(model) else "question",
            )
            continue
        last = model["last"] if model is not None else None
        score = (trained.get(one["model"]) or {}).get("accuracy")
        if last is None or score is None or "renamed" not in last or last["rows"] < 100 or score["value"] < 0.6:
            continue
        # A model that tells the classes apart as well as in training, but calls them otherwise. A weak model has its
        # errors spread; even the best renaming would not bring it near what it has in training.
        renamed = last["renamed"]["right"]
        if renamed - last["right"] >= 0.3 * last["rows"] and renamed >= 0.8 * score["value"] * last["rows"]:
            yield Finding(
                evidence=_(
                    "{right} of {rows} answers are right; under other class numbers {renamed} would be.",
                    right=last["right"],
                    rows=last["rows"],
                    renamed=last["renamed"]["right"],
                ),
                step=last["step"],
                place=_numbering(code) or _first(last["places"]),
                voice=None if len(last["labels"]) > 2 and model is not None and model["direct"] else "question",
            )


def _merged(one: dict[str, Any], code: Code) -> Iterator[Finding]:
    """Outputs that no label asks for, and a class that has as many samples as it and they would have."""
    counts, width = {int(name): count for name, count in one["train"].items()}, one["width"]
    if (
        not set(one["losses"]) & set(_SINGLE)
        or not one["epoch_whole"]
        or not 3 <= len(counts) < width < 2 * len(counts)
    ):
        return
    if not all(0 <= name < width for name in counts) or set(map(int, one["later"])) - set(counts):
        return
    usual = sorted(counts.values())[(len(counts) - 1) // 2]
    # Classes of one size, but for one that is a whole number of these: by chance that is rare, and with as many outputs
    # left over, rarer. Five times the spread of a count.
    noise = 5 * usual**0.5
    more = {name: round(count / usual) for name, count in counts.items() if usual and round(count / usual) > 1}
    even = all(abs(count - usual * more.get(name, 1)) <= noise for name, count in counts.items())
    if usual < 50 or not even or len(more) != 1 or sum(more.values()) - len(more) != width - len(counts):
        return
    (label, times), unused = next(iter(more.items())), sorted(set(range(width)) - set(counts))
    place = _cut(code)
    yield Finding(
        evidence=_(
            "Of {width} outputs, no sample has class {unused}, and class {label} has {times} times as many samples "
            "as the others.",
            width=width,
            unused=", ".join(map(str, unused)),
            label=label,
            times=times,
        ),
        step=one["step"],
        place=place or Place.from_json(one["place"]),
        voice=None if place is not None else "question",
    )


def _cut(code: Code) -> Place | None:
    """The line that puts labels together by cutting them off."""
    for place, node, _unit in code.walk(ast.Assign):
        calls = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
        if any(callee(n) in _CUTS for n in calls) and is_labels(ast.unparse(node)):
            return place
    return None


def _has_room(new: dict[str, int], width: int, model: dict[str, Any] | None) -> bool:
    """Whether the model has an output for each of them, and its answers are compared with them as classes."""
    return model is not None and model["direct"] and all(name.isdigit() and int(name) < width for name in new)


def _is_shifted(model: dict[str, Any] | None) -> bool:
    """Whether answers are compared as classes, and many more would be right under other numbers."""
    last = model["last"] if model is not None and model["direct"] else None
    return bool(last and "renamed" in last and last["renamed"]["right"] - last["right"] >= 0.3 * last["rows"])


def _first(places: list[dict[str, object]]) -> Place | None:
    return Place.from_json(places[0]) if places else None


def _numbering(code: Code) -> Place | None:
    """The line that numbers the classes anew for the samples that are held back."""
    own: set[str] = set()
    for unit in code.units:
        for node in unit.nodes:
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(n, ast.Call) and callee(n) in ("unique", "enumerate", "LabelEncoder") for n in ast.walk(node)
            ):
                own.add(node.name)
    for unit in code.units:
        for node in unit.nodes:
            if isinstance(node, ast.Assign | ast.Expr) and is_held_back(ast.unparse(node)):
                calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
                if any(callee(n) in _MAKERS[:1] or callee(n) in own for n in calls):
                    return unit.place(node)
                if isinstance(node.value, ast.DictComp):
                    return unit.place(node)
    return None


BROKEN = CLASSES.replace("y[:480], x[480:], y[480:]", "y[:480], x[480:], (y[480:] + 1) % 4")

HEADS = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
middles = torch.randn(8, 12) * 2
y = torch.randint(8, (1600,))
x = middles[y] + torch.randn(1600, 12)


def part(first, rows):
    chosen = rows[(y[rows] >= first) & (y[rows] < first + 4)]
    return DataLoader(TensorDataset(x[chosen], y[chosen]), batch_size=40, shuffle=True)


def stage(model, first):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(4):
        for inputs, labels in part(first, torch.arange(1200)):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), labels - first)
            loss.backward()
            optimizer.step()
        right = 0
        with torch.no_grad():
            for inputs, labels in part(first, torch.arange(1200, 1600)):
                right += (model(inputs).argmax(1) == labels - first).sum().item()
        print(right)


model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 4))
stage(model, 0)
model[2] = nn.Linear(32, 4)
stage(model, 4)
"""

rule = Rule(
    code="D02",
    name="labels-numbered-otherwise",
    voice="alarm",
    stage="data",
    question="Does each class have the same number in training and evaluation?",
    needs=("labels", "failure"),
    find=find,
    text=Text(
        what="The classes do not have the same numbers in training and in evaluation.",
        why="The model answers with the numbers that it learned; the evaluation means other classes by them.",
        do="Number the classes once, from the training labels, and use that numbering everywhere.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "numbers are shifted on both sides": CLASSES.replace(
            "argmax(1) == test_y)", "argmax(1) + 5 == test_y)"
        ).replace("model = nn", "test_y = test_y + 5\nmodel = nn", 1),
        "a second head for the other classes": HEADS,
        "more classes in a second part of the training": CLASSES.replace(
            "for rows in torch.randperm(480).split(32):\n",
            "for rows in torch.randperm(480).split(32):\n"
            "        rows = rows[train_y[rows] < (3 if epoch < 2 else 4)]\n",
        ),
        "one output more than classes": CLASSES.replace("nn.Linear(32, 4)", "nn.Linear(32, 5)"),
        "a class is missing in the test": CLASSES.replace(
            "model = nn", "test_x, test_y = test_x[test_y > 0], test_y[test_y > 0]\nmodel = nn", 1
        ),
    },
    explains=("E11", "E12"),
)
