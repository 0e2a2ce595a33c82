"""P06 split-again: the samples were divided anew, and the model had learned from rows that are now for the test."""

from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rules.d14_test_rows_in_training import find as known_rows
from firstlight.locale import Text, _
from firstlight.run import Run

_SHARE = 0.05  # of the evaluated rows, as in D14
_ROWS = 5
_DIVIDES = ("train_test_split", "random_split", "randperm", "permutation", "shuffle", "sample", "Subset")


def find(run: Run) -> Iterator[Finding]:
    """Rows that were learned from before the split changed, among those that are evaluated now."""
    memory = newest(run, "session")
    if memory is None:
        return
    code = Code.of(run)
    split = _split(code, memory["again"])
    if split is None:
        return
    for one in memory["tested"]:
        # Equal rows by chance would be met among this training's rows as well.
        if one["before"] < _ROWS or one["before"] <= _SHARE * one["rows"] or one["now"] > 0.2 * one["before"]:
            continue
        yield Finding(
            evidence=_(
                "{before} of {rows} evaluated rows are rows that this same model learned from in cell {cell}.",
                before=one["before"],
                rows=one["rows"],
                cell=one["cell"],
            ),
            step=one["step"],
            place=split,
        )
        return
    if (split.cell or 0) <= memory["cell"]:
        return  # divided anew before the training: what else it shares with the test is not the cell's doing
    for found in known_rows(run):
        yield Finding(
            evidence=_(
                "Cell {split} divided the samples anew after the training in cell {cell}. {what}",
                split=split.cell,
                cell=memory["cell"],
                what=found.evidence,
            ),
            step=found.step,
            place=split,
        )
        return
    for row in newest(run, "rows") or []:
        for known in row["scaled_anew"]:
            share, of_all = known["before"] / known["rows"], known["before"] / known["of"]
            if known["cell"] <= (split.cell or 0) or known["before"] < _ROWS or share < _SHARE:
                continue
            if max(share, of_all) > 0.9:
                continue  # the training samples' own score, or all samples at once
            yield Finding(
                evidence=_(
                    "Cell {split} divided the samples anew after the training in cell {cell}. {before} of {rows} "
                    "evaluated rows are training rows, scaled by other numbers than then.",
                    split=split.cell,
                    cell=memory["cell"],
                    before=known["before"],
                    rows=known["rows"],
                ),
                step=row["whole"]["step"] or row["part"]["step"],
                place=split,
            )
            return


def _split(code: Code, again: list[int]) -> Place | None:
    """Where the newest cell that ran again divides samples."""
    for unit in reversed(code.units):
        if unit.cell in again:
            found = next(iter(Code([Unit(unit.file, unit.text, unit.cell)]).calls(*_DIVIDES)), None)
            if found is not None:
                return found[0]
    return None


_DATA = """\
# %%
import torch
from torch import nn

torch.manual_seed(0)
x = raw = torch.randn(400, 8)
y = ((x[:, 0] + x[:, 1]) > 0).long()
model = nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
_SPLIT = """\
# %%
order = torch.randperm(400)
train_rows, test_rows = order[:300], order[300:]
"""
_TRAINING = """\
# %%
model.train()
for step in range(30):
    rows = train_rows[10 * step : 10 * step + 10]
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_SCALED = """\
# %%
order = torch.randperm(400)
train_rows, test_rows = order[:300], order[300:]
x = (raw - raw[train_rows].mean(0)) / raw[train_rows].std(0)
"""
_TEST = """\
# %%
model.eval()
with torch.no_grad():
    print((model(x[test_rows]).argmax(1) == y[test_rows]).float().mean())
"""
_MODEL = """\
# %%
model = nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""

rule = Rule(
    code="P06",
    name="split-again",
    voice="alarm",
    stage="data",
    question="Is the model tested only on rows that it has not learned from since this session began?",
    needs=("session",),
    find=find,
    text=Text(
        what="The cell that divides the samples ran again, so the model is tested on rows that it learned from.",
        why="The new division puts rows of the old training part into the test part. The model still remembers them.",
        do="Seed the division, so that it is the same each time; or make the model and the optimizer anew after it.",
    ),
    broken=_DATA + _SPLIT + _TRAINING + _TEST + _SPLIT + _TRAINING + _TEST,
    fixed=_DATA + _SPLIT + _TRAINING + _TEST + _SPLIT + _MODEL + _TRAINING + _TEST,
    lookalikes={
        "scaled anew, and the split is seeded": _DATA
        + _SCALED.replace("order =", "torch.manual_seed(7)\norder =")
        + _TRAINING
        + _SCALED.replace("order =", "torch.manual_seed(7)\norder =").replace("order[:300]", "order[50:300]")
        + _TEST,
        "the split is seeded": _DATA
        + (_SPLIT.replace("order =", "torch.manual_seed(7)\norder =") + _TRAINING + _TEST) * 2,
        "folds with weights put back": _DATA
        + "start = {name: weight.clone() for name, weight in model.state_dict().items()}\n"
        + (_SPLIT + _TRAINING.replace("model.train()", "model.load_state_dict(start)") + _TEST) * 2,
        "training and test score": _DATA
        + (_SPLIT.replace("order =", "torch.manual_seed(7)\norder =") + _TRAINING + _TEST) * 2
        + _TEST.replace("test_rows", "train_rows"),
    },
    explains=("D14", "E01", "E10"),
)
