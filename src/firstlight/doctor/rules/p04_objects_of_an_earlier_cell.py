"""P04 objects-of-an-earlier-cell: a cell ran again and made new objects, and something still has the old ones."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rules.l06_optimizer_of_another_model import find as stale_optimizers
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An optimizer that is older than the model, or a model that is called in place of the one made anew since."""
    yield from _schedulers(run)
    memory = newest(run, "session")
    if memory is None:
        return
    for found in stale_optimizers(run):
        made = found.place.cell if found.place is not None else None
        newer = [cell for cell in memory["born"] if made is not None and cell > made]
        if newer:
            yield Finding(
                evidence=_(
                    "Cell {made} made the optimizer. Cell {newer} made the model anew, after that. {what}",
                    made=made,
                    newer=max(newer),
                    what=found.evidence,
                ),
                step=found.step,
                place=found.place,
                check=found.check,
            )
    for one in memory["stale"]:
        called = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "The {model} that is called here was made in cell {made}, and never trained. "
                "Cell {newer} made it anew, and that one was trained.",
                model=one["kind"],
                made=one["born"],
                newer=one["newer"],
            ),
            step=one["step"],
            place=_default(Code.of(run), called) or called,
        )


def _schedulers(run: Run) -> Iterator[Finding]:
    """A scheduler whose optimizer never stepped, while another one like it did, and has no scheduler."""
    for one in newest(run, "schedules") or []:
        if one["steps"] or one["idle"] < 2 or one["idle"] < one["calls"] - 1 or not one["others"]:
            continue
        yield Finding(
            evidence=_(
                "{scheduler} made {calls} steps, and its own optimizer none. Another optimizer, {optimizer}, made the "
                "steps, and its learning rate stayed what it was.",
                scheduler=one["scheduler"],
                calls=one["calls"],
                optimizer=one["others"][0],
            ),
            step=one["between"] or one["step"],
            place=Place.from_json(one["place"]),
            text=Text(
                what="The scheduler belongs to an optimizer that is not used any more.",
                why="A scheduler changes the learning rate of the optimizer that it was made of, and of no other.",
                do="Make the scheduler anew after the optimizer: in a notebook, run its cell again.",
            ),
            explains=("L12", "L13"),
            check="print(scheduler.optimizer is optimizer)",
        )


def _default(code: Code, called: Place | None) -> Place | None:
    """The line of a function whose default value keeps the old model, where the call lies in such a function."""
    for place, node, unit in code.walk(ast.FunctionDef):
        if called is None or unit.file != called.file or node.name != called.function:
            continue
        if node.args.defaults or any(node.args.kw_defaults):
            return place
    return None


BROKEN = """\
# %%
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()

# %%
model = nn.Linear(8, 3)

# %%
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

# %%
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
model = nn.Linear(8, 3)

# %%
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

_AGAIN = "# %%\nmodel = nn.Linear(8, 3)\n\n# %%\nfor"
_WITH_OPTIMIZER = (
    "# %%\nmodel = nn.Linear(8, 3)\n\n# %%\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n\n# %%\nfor"
)

rule = Rule(
    code="P04",
    name="objects-of-an-earlier-cell",
    voice="alarm",
    stage="order",
    question="Was everything that is used made of the model as it is now, and not of one of an earlier cell?",
    needs=("session", "schedules"),
    find=find,
    text=Text(
        what="A cell was run again and made a new model, but something still holds the old one.",
        why="A cell that runs again makes new objects. What other cells made of the old ones still has the old ones.",
        do="After the cell that makes the model, run each cell again that uses it: the optimizer's, then the training.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(_AGAIN, _WITH_OPTIMIZER),
    lookalikes={
        "a second model beside the first": BROKEN.replace(
            "# %%\nmodel = nn.Linear(8, 3)\n\n# %%\nfor", "# %%\nteacher = nn.Linear(8, 3)\n\n# %%\nfor"
        ),
        "the first model is kept to compare with": BROKEN.replace(_AGAIN, "# %%\nfirst = model\n\n" + _WITH_OPTIMIZER)
        + "with torch.no_grad():\n    print(first(x).argmax(1).eq(y).float().mean())\n"
        "    print(model(x).argmax(1).eq(y).float().mean())\n",
    },
    explains=(
        "L01",
        "L02",
        "L03",
        "L04",
        "L05",
        "L06",
        "L15",
        "L25",
        "E11",
        "E12",
        "D01",
        "M12",
        "M13",
        "P05",
        "L12",
        "L13",
    ),
)
