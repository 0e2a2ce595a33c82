"""P02 same-seed-each-epoch: the same random numbers come again in each epoch."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 2  # after the first: three epochs that begin with the same numbers


def find(run: Run) -> Iterator[Finding]:
    """A seed that was set again while one training went on, so that its next epoch began with the same numbers."""
    for one in (newest(run, "seeds") or {"again": []})["again"]:
        if one["times"] < _TIMES:
            continue
        place = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "Seed {seed} was set {times} times in one training, which then went on with the same random numbers.",
                seed=one["seed"],
                times=one["times"] + 1,
            ),
            step=one["step"],
            place=place,
            edits=_moved(Code.of(run), place),
            check="print(torch.get_rng_state().sum())  # at the start of each epoch: the same number each time",
        )


def _moved(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The line once, in front of the loop."""
    spot = spot_of(code, place)
    loop = spot.of(spot.loops[0]) if spot is not None and spot.loops and spot.alone else None
    if spot is None or loop is None or not loop.alone or "\n" in spot.text:
        return ()
    return (loop.before(spot.text), spot.without())


BROKEN = CLASSES.replace("    model.train()\n", "    torch.manual_seed(0)\n    model.train()\n")

rule = Rule(
    code="P02",
    name="same-seed-each-epoch",
    voice="alarm",
    stage="order",
    question="Does each epoch draw random numbers of its own?",
    needs=("seeds",),
    find=find,
    text=Text(
        what="The seed is set again while the model trains, so each epoch draws the same random numbers.",
        why="Then batches come in the same order each time, and dropout hides the same units again.",
        do="Set the seed once, before the first epoch.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "another seed for each epoch": BROKEN.replace("manual_seed(0)\n    model", "manual_seed(epoch)\n    model"),
        "a new training for each setting": """\
import torch
from torch import nn

x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
for rate in (0.05, 0.1, 0.2, 0.3):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for rows in torch.randperm(256).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
""",
        "the numbers are put back": BROKEN.replace(
            "    torch.manual_seed(0)\n    model.train()\n", "    model.train()\n"
        )
        .replace("model.eval()", "model.eval()\n")
        .replace(
            "        optimizer.step()\n",
            "        optimizer.step()\n"
            "    with torch.random.fork_rng():\n        torch.manual_seed(0)\n        noise = torch.randn(4, 8)\n",
        ),
    },
)
