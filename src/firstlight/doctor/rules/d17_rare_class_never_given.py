"""D17 rare-class-never-given: one class is rare, and the model always gives the frequent one."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import BINARY
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """More than four fifths of one class, and too few answers for another one. Imbalance alone is fine."""
    labels = {one["model"]: one for one in newest(run, "labels") or []}
    for one in newest(run, "evaluations") or []:
        last = one["last"]
        if last is None or one["learned"] < 30 or last["rows"] < 100 or len(last["labels"]) < 2:
            continue
        share = last["majority_rows"] / last["rows"]
        given = last["given"].get(str(last["majority"]), 0)
        rare = last.get("rarest")
        # Fewer than one in three is found, and the frequent class is given more often than it is there: a model that
        # only leans a little to it, or errs both ways, does neither.
        if share <= 0.8 or rare is None or 3 * rare["found"] > rare["rows"] or given <= last["majority_rows"]:
            continue
        trained = labels.get(one["model"])
        yield Finding(
            evidence=_(
                "{share} of the evaluated samples are of class {most}, and {given} of {rows} answers are; "
                "of {rare} samples of class {label}, {found} are found.",
                share=f"{share:.0%}",
                most=last["majority"],
                given=given,
                rows=last["rows"],
                rare=rare["rows"],
                label=rare["label"],
                found=rare["found"],
            ),
            step=last["step"],
            place=_loss(Code.of(run)) or (Place.from_json(trained["place"]) if trained is not None else None),
            check="print(torch.bincount(predicted), torch.bincount(labels))",
        )


def _loss(code: Code) -> Place | None:
    """Where the loss is made, which can be given weights."""
    names = ("CrossEntropyLoss", "BCEWithLogitsLoss", "BCELoss", "NLLLoss")
    return next((place for place, _call, _unit in code.calls(*names)), None)


BROKEN = BINARY.replace("(x[:, 0] + x[:, 1] * x[:, 2] > 0)", "(x[:, 0] + torch.randn(1500) > 2.2)").replace(
    "randn(600, 6)", "randn(1500, 6)"
)

rule = Rule(
    code="D17",
    name="rare-class-never-given",
    voice="question",
    stage="evaluation",
    question="Does the model give the rare classes too?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The model seldom finds the rare class. Is that the one that you are looking for?",
        why="Where nine of ten samples are of one class, always saying it is nine times right, and of no use.",
        do="Weight the loss by class or sample the rare class more often, and look at the recall of each class.",
    ),
    broken=BROKEN,
    fixed=BINARY,
    lookalikes={
        "rare, and learned": BINARY.replace("(x[:, 0] + x[:, 1] * x[:, 2] > 0)", "(x[:, 0] > 1.0)").replace(
            "range(4)", "range(8)"
        ),
    },
    explains=("E12", "E11"),
)
