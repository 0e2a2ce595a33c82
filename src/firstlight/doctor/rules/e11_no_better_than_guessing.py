"""E11 no-better-than-guessing: always saying the most frequent class would be right as often."""

from collections.abc import Iterator
from typing import Any

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_CLASSES = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


def find(run: Run) -> Iterator[Finding]:
    """The last evaluation of a model that learned."""
    for one in newest(run, "evaluations") or []:
        last = one["last"]
        if last is None or one["learned"] < 30 or last["rows"] < 100 or len(last["labels"]) < 2:
            continue
        if not set(one["losses"]) & set(_CLASSES) or last["right"] > last["majority_rows"] or len(last["given"]) < 2:
            continue
        if _knows_each_class(last):
            continue
        yield Finding(
            evidence=_(
                "{right} of {rows} answers are right; always saying class {most} would be right {often} times.",
                right=last["right"],
                rows=last["rows"],
                most=last["majority"],
                often=last["majority_rows"],
            ),
            step=last["step"],
            place=Place.from_json(last["places"][0]) if last["places"] else None,
        )


def _knows_each_class(last: dict[str, Any]) -> bool:
    """Whether even the class that is found least is found more often than not: frequent ones are given up for it."""
    rarest = last.get("rarest")
    return rarest is not None and rarest["rows"] >= 10 and rarest["found"] > 0.5 * rarest["rows"]


BROKEN = (
    CLASSES.replace("y = torch.arange(4).repeat(150)", "y = torch.randint(4, (600,))")
    .replace("centres[y] + torch.randn(600, 8)", "torch.randn(600, 8)")
    .replace("randperm(480).split(32)", "randperm(480).split(8)")
)

rule = Rule(
    code="E11",
    name="no-better-than-guessing",
    voice="question",
    stage="dynamics",
    question="Is the model better than the most frequent class?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The model is not better than always giving the most frequent class.",
        why="A score without that comparison can look good although nothing was learned.",
        do="Compare each score with the share of the most frequent class, and look for the cause in data and training.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "a model that has hardly begun": BROKEN.replace("range(4):\n    model", "range(1):\n    model").replace(
            "split(8)", "split(32)"
        )
    },
)
