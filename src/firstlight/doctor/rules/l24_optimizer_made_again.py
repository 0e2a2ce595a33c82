"""L24 optimizer-made-again: a new optimizer over the same weights in each epoch or step."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import assigned_at, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Three optimizers and more, made at one line of the same weights, shown the same data."""
    for one in newest(run, "optimizers") or []:
        if one["count"] < 3 or one["written"]:
            continue  # weights that were set back in between begin something new
        place = Place.from_json(one["place"])
        same_data = one["single"] or one["same_loader"] or one["same_rows"]
        # A learning rate that falls is set in the optimizer. Three stages with a rate each may be meant; not a stage
        # for each epoch.
        falls = one["falls"] and one["most_passes"] <= 1 and one["count"] >= (4 if one["most_passes"] else 8)
        yield Finding(
            evidence=_(
                "{count} optimizers of kind {optimizer} were made of the same weights at this line; "
                "the first ones made {steps} steps each.",
                count=one["count"],
                optimizer=one["optimizer"],
                steps=", ".join(map(str, one["steps"][:4])),
            ),
            step=one["step"],
            place=place,
            # Other data, other numbers, or nothing to forget: then it may be meant.
            voice="alarm" if same_data and (one["equal"] or falls) and one["state"] else "question",
            edits=_once(Code.of(run), place),
        )


def _once(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The same statement before the outermost loop instead of in it: the later line first."""
    spot = spot_of(code, place)
    if spot is None or not spot.alone or not spot.loops or assigned_at(spot) is None:
        return ()
    loop = spot.of(spot.loops[-1])
    if loop is None or not loop.alone:
        return ()
    return (spot.without(), loop.before(*spot.text.splitlines()))


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
for epoch in range(5):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for start in range(0, 256, 64):
        loss = nn.functional.cross_entropy(model(x[start : start + 64]), y[start : start + 64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
_MADE = "    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)\n"

rule = Rule(
    code="L24",
    name="optimizer-made-again",
    voice="alarm",
    stage="optimizer",
    question="Is there one optimizer for the whole training?",
    needs=("optimizers",),
    find=find,
    text=Text(
        what="The optimizer is made again and again inside of the training loop.",
        why="Momentum and Adam's running means start from nothing each time, so the optimizer never gets going.",
        do="Make the optimizer once, before the loop over epochs.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(_MADE, "").replace("for epoch", _MADE.strip() + "\nfor epoch"),
    lookalikes={
        "a new model for each fold": BROKEN.replace(
            _MADE, "    model = nn.Linear(8, 3)\n    x, y = x.roll(64 * epoch, 0), y.roll(64 * epoch, 0)\n" + _MADE
        ),
        "the same model, begun anew": BROKEN.replace(_MADE, "    model.reset_parameters()\n" + _MADE),
        "one model, put back to where it began": BROKEN.replace(
            "for epoch", "import copy\n\nbegin = copy.deepcopy(model.state_dict())\nfor epoch"
        ).replace(_MADE, "    model.load_state_dict(begin)\n" + _MADE),
    },
    explains=("P04", "L12"),
)
