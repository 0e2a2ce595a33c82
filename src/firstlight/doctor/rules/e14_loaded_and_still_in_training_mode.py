"""E14 loaded-and-still-in-training-mode: a new model is given saved weights, and used in training mode."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.rules.e02_evaluated_in_training_mode import modes
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A model that was loaded, learned nothing here, and is evaluated in training mode."""
    for one in newest(run, "evaluations") or []:
        if one["learned"] or not one["acting_loaded"] or one["acting"] < 0.9 * one["scored"]:
            continue
        if one["prints"] > one["phases"] + 1:
            continue
        place = Place.from_json(one["acting_place"])
        yield Finding(
            evidence=_(
                "{count} of {calls} evaluations of the loaded model ran in training mode, with dropout or batch norm "
                "at work.",
                count=one["acting"],
                calls=one["scored"],
            ),
            step=one["acting_step"],
            place=place,
            edits=modes(Code.of(run), place),
            check="print(model.training)",
        )


LOADED = CLASSES.replace("model.eval()\n", (
    "restored = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))\n"
    "restored.load_state_dict(model.state_dict())\nrestored.eval()\n"
)).replace("(model(test_x)", "(restored(test_x)")  # fmt: skip

rule = Rule(
    code="E14",
    name="loaded-and-still-in-training-mode",
    voice="alarm",
    stage="evaluation",
    question="Is a loaded model in eval mode where it is used?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="A loaded model is used in training mode.",
        why="A new model begins in training mode, and load_state_dict does not change that: dropout is still on.",
        do="Call model.eval() after load_state_dict.",
    ),
    broken=LOADED.replace("restored.eval()\n", ""),
    fixed=LOADED,
    lookalikes={
        "a teacher that is loaded, and not scored": CLASSES.replace(
            "for epoch",
            "teacher = nn.Sequential(nn.Linear(8, 4), "
            "nn.Dropout(0.1))\nteacher.load_state_dict(teacher.state_dict())\nfor epoch",
            1,
        ).replace(
            "        loss = nn",
            "        with torch.no_grad():\n            soft = teacher(train_x[rows]).softmax(1)\n        loss = nn",
            1,
        ),
    },
    explains=("E02", "E13"),
)
