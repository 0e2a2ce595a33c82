"""E01 tested-on-training-samples: all samples that are evaluated were learned from, and the result is called a test."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_held_back, is_training, outermost, words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_SAMPLES = {"x", "y", "loader", "set", "data", "dataset", "images", "labels", "inputs", "targets", "acc", "accuracy"}


def find(run: Run) -> Iterator[Finding]:
    """No evaluation of other rows, in a program that speaks of a test or a validation."""
    for one in newest(run, "rows") or []:
        whole, part = one["whole"], one["part"]
        if one["by_chance"] or one["labelled"] < 0.5 or whole["rows"] < 20 or not whole["scored"]:
            continue
        if part["rows"] or whole["before"] < 0.5 * whole["rows"]:
            continue
        if one["within"] >= 0.1 and not one["copied"]:
            continue  # there may be few different samples
        code = Code.of(run)
        if not _speaks_of_a_test(code):
            continue  # the accuracy on training samples may be what is asked for
        files = {unit.file for unit in code.units}
        chains = whole["places"]
        made = Place.from_json(whole.get("made"))
        made = made if made is not None and (is_held_back(made.text) or is_training(made.text)) else None
        called = [next((p for chain in chains if (p := outermost(chain, wanted, files))), None)
                  for wanted in (is_training, is_held_back)]  # fmt: skip
        place = called[0] or made or called[1] or (Place.from_json(chains[0][0]) if chains else None)
        yield Finding(
            evidence=_(
                "All {known} training rows that were looked at are among the {rows} evaluated ones, and one epoch has "
                "as many rows; no other rows were evaluated.",
                known=whole["of"],
                rows=whole["rows"],
            )
            if whole.get("of")
            else _(
                "{known} of {rows} evaluated rows had been learned from, byte for byte; no other rows were evaluated.",
                known=whole["before"],
                rows=whole["rows"],
            ),
            step=whole["step"],
            place=place,
        )
        return


def _speaks_of_a_test(code: Code) -> bool:
    """Whether a variable, an argument or a text does. Names of functions are not asked: a test may test training."""
    for unit in code.units:
        for node in unit.nodes:
            text = ""
            if isinstance(node, ast.Name):
                text = node.id
            elif isinstance(node, ast.Attribute):
                text = node.attr
            elif isinstance(node, ast.arg):
                text = node.arg
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 80:
                text = node.value
            if text and _is_of_a_test(text):
                return True
    return False


def _is_of_a_test(text: str) -> bool:
    """Whether a name or a short text means samples that are held back: `val` alone may well be a value."""
    words = words_in(text)
    if words & {"val", "valid"} and not words & {"test", "validation", "holdout", "unseen"}:
        return text.lower().startswith(("val_", "valid_", "val ")) or bool(words & _SAMPLES)
    return is_held_back(text) and text != "testing"


BROKEN = CLASSES.replace("(model(test_x).argmax(1) == test_y)", "(model(train_x).argmax(1) == train_y)")
PLAIN = BROKEN.replace(
    "train_x, train_y, test_x, test_y = x[:480], y[:480], x[480:], y[480:]", "train_x, train_y = x[:480], y[:480]"
)

PAIRS = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
left, right = torch.randn(1200, 6), torch.randn(1200, 6)
prefers = torch.where(left.sum(1) > right.sum(1), 1.0, -1.0)
rows = TensorDataset(left, right, prefers)
learned, held = torch.utils.data.random_split(rows, [1000, 200])
loader, other = DataLoader(learned, 8, shuffle=True), DataLoader(held, 100)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(2):
    for one, two, y in loader:
        loss = nn.functional.margin_ranking_loss(model(one), model(two), y, margin=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
right = 0
with torch.no_grad():
    for one, two, y in other:
        right += ((model(one) - model(two)) * y > 0).sum().item()
print(f"test accuracy {right / 200}")
"""

rule = Rule(
    code="E01",
    name="tested-on-training-samples",
    voice="alarm",
    stage="evaluation",
    question="Is the model tested with samples that it did not learn from?",
    needs=("rows",),
    find=find,
    text=Text(
        what="The test uses the samples that the model was trained with.",
        why="A model can know those by heart. Their score says nothing about samples that it has never seen.",
        do="Give the evaluation the test samples instead of the training samples.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "the accuracy on training samples, called so": PLAIN.replace("test accuracy", "training accuracy"),
        "a value called val": PLAIN.replace("test accuracy", "accuracy").replace(
            "        loss.backward()\n", "        loss.backward()\n        loss_val = val = loss.item()\n"
        ),
        "both accuracies": CLASSES.replace(
            'print(f"test',
            'with torch.no_grad():\n    train = (model(train_x).argmax(1) == train_y).float().mean()\nprint(f"test',
        ),
        "one graph, rows told apart by a mask": CLASSES.replace(
            "model(train_x[rows]), train_y[rows])", "model(x)[:480], train_y)"
        ).replace("model(test_x).argmax(1) ==", "model(x)[480:].argmax(1) =="),
        "pairs, of which only a part is read": PAIRS,
        "pairs, the accuracy on both": PAIRS.replace(
            "    for one, two, y in other:", "    for one, two, y in [*DataLoader(learned, 100), *other]:"
        ),
    },
    explains=("D14",),
)
