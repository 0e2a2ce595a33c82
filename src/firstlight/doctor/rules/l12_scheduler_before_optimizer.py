"""L12 scheduler-before-optimizer: the first learning rate of a schedule is skipped."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.warned import scheduler_first
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A scheduler that stepped before the first step of its optimizer, and went on in turns with it."""
    found = list(_heard(run))  # else what PyTorch warns of
    yield from found or scheduler_first(run)


def _heard(run: Run) -> Iterator[Finding]:
    for one in newest(run, "schedules") or []:
        if one["first_steps"] or one["calls"] < 3 or one["each"] + one["several"] < 2:
            continue
        if one["scheduler"] == "ReduceLROnPlateau":
            continue
        code, place, stepped = Code.of(run), Place.from_json(one["place"]), Place.from_json(one["stepped"])
        scaled = any(True for _call in code.calls("GradScaler"))  # it may leave the first step out, and rightly so
        yield Finding(
            evidence=_(
                "The first step of {scheduler} came before the first step of its optimizer, and so it went on.",
                scheduler=one["scheduler"],
            ),
            step=one["step"],
            place=place,
            places=(stepped,) if stepped is not None else (),
            voice="question" if scaled else None,
            edits=_moved(code, place, stepped),
        )


def _moved(code: Code, place: Place | None, stepped: Place | None) -> tuple[Edit, ...]:
    """The scheduler's step behind the optimizer's, or at the end of its loop: the later line first."""
    spot, step = spot_of(code, place), spot_of(code, stepped)
    if spot is None or not spot.alone or not spot.loops or spot.text.count("\n"):
        return ()
    target = step if step is not None and step.node in spot.block() else spot.last_of(spot.loops[0])
    if not target.alone or target.node.lineno <= spot.node.lineno:
        return ()
    return (target.after(spot.text), spot.without())


BROKEN = """\
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
for epoch in range(10):
    scheduler.step()
    for start in range(0, 256, 64):
        loss = nn.functional.cross_entropy(model(x[start : start + 64]), y[start : start + 64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

rule = Rule(
    code="L12",
    name="scheduler-before-optimizer",
    voice="alarm",
    stage="optimizer",
    question="Does the scheduler step after the optimizer?",
    needs=("schedules", "warnings"),
    find=find,
    text=Text(
        what="The scheduler steps before the optimizer, so the first learning rate is never used.",
        why="A scheduler sets the learning rate of the steps to come. All its changes come one round too early.",
        do="Call scheduler.step() after optimizer.step(), at the end of the epoch or of the batch.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    scheduler.step()\n", "") + "    scheduler.step()\n",
    lookalikes={
        "brought forward to where a training goes on": BROKEN.replace("    scheduler.step()\n", "").replace(
            "for epoch", "for _ in range(3):\n    optimizer.step()\n    scheduler.step()\nfor epoch"
        ),
    },
)
