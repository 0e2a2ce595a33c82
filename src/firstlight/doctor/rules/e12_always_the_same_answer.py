"""E12 always-the-same-answer: the model gives one class for all evaluated samples."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """One class in all answers of the last evaluation, several among the labels."""
    for one in newest(run, "evaluations") or []:
        last = one["last"]
        if (
            last is None
            or one["learned"] < 30
            or last["rows"] < 100
            or len(last["labels"]) < 2
            or len(last["given"]) > 1
        ):
            continue
        yield Finding(
            evidence=_(
                "All {rows} answers are class {given}, and the labels hold {classes} classes.",
                rows=last["rows"],
                given=next(iter(last["given"])),
                classes=len(last["labels"]),
            ),
            step=last["step"],
            place=Place.from_json(last["places"][0]) if last["places"] else None,
            check="print(predicted.unique(return_counts=True))",
        )


BROKEN = (
    CLASSES.replace("lr=0.01", "lr=30.0")
    .replace("torch.optim.Adam", "torch.optim.SGD")
    .replace("range(4):\n    model", "range(5):\n    model")
    .replace("model.eval()\n", "with torch.no_grad():\n    model[3].bias[2] = 1e6\nmodel.eval()\n")
)

rule = Rule(
    code="E12",
    name="always-the-same-answer",
    voice="question",
    stage="dynamics",
    question="Does the model give different answers?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The model gives the same class for every sample.",
        why="Its outputs do not depend on the input any more; the score is only how frequent that class is.",
        do="Look at the learning rate, the scale of the inputs and how frequent each class is.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
)
