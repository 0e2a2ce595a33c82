"""R13 moved-in-every-step: the whole dataset, or the model, is moved to the device again in each step."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_STEPS = 10


def find(run: Run) -> Iterator[Finding]:
    """The same large tensor, or the same module, that is given to `to` in step after step."""
    one = newest(run, "resources") or {"moved": [], "batch": 0}
    code = Code.of(run)
    for moved in sorted(one["moved"], key=lambda row: not row["rows"]):
        if moved["steps"] < _STEPS or moved["last"] - moved["first"] > 1.2 * moved["steps"]:
            continue
        place = Place.from_json(moved["place"])
        if moved["rows"]:
            evidence = _(
                "A tensor of {rows} rows was given to .to() in {steps} steps; a step learns from {batch} rows.",
                rows=moved["rows"],
                steps=moved["steps"],
                batch=one["batch"],
            )
        else:
            evidence = _(
                "The same {model} was given to .to() in {steps} steps.", model=moved["what"], steps=moved["steps"]
            )
        spot = spot_of(code, place)
        sure = bool(moved["rows"]) or (spot is not None and bool(spot.loops))  # a step's function may not know better
        yield Finding(
            evidence=evidence,
            voice="alarm" if sure else "question",
            step=moved["step"] + _STEPS - 4,
            place=place,
            edits=_before(code, place) if sure else (),
        )
        return


def _before(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The line in front of the loops around it, where it stands alone."""
    spot = spot_of(code, place)
    loop = spot.of(spot.loops[-1]) if spot is not None and spot.loops and spot.alone else None
    if spot is None or loop is None or not loop.alone or "\n" in spot.text:
        return ()
    return (loop.before(spot.text), spot.without())


BROKEN = CLASSES.replace(
    "        optimizer.zero_grad()\n", '        train_x = train_x.to("cpu")\n        optimizer.zero_grad()\n'
)

rule = Rule(
    code="R13",
    name="moved-in-every-step",
    voice="alarm",
    stage="resources",
    question="Is each thing moved to the device once?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The same thing is moved to the device again in each step.",
        why="Moving all samples takes far longer than a step. Where they are there already, the line does nothing.",
        do="Move the model, and data that fits, once before the loop; in the loop, move the batch only.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace('        train_x = train_x.to("cpu")\n', "").replace(
        "for epoch", 'train_x = train_x.to("cpu")\nfor epoch'
    ),
    lookalikes={
        "the batch is moved": CLASSES.replace("model(train_x[rows])", 'model(train_x[rows].to("cpu"))'),
        "a small table is moved": BROKEN.replace("        train_x = train_x.to", "        centres = centres.to"),
        "the data is moved in each epoch": CLASSES.replace(
            "    model.train()\n", '    train_x = train_x.to("cpu")\n    model.train()\n'
        ),
    },
)
