"""R10 anomaly-detection-on: autograd looks for anomalies in every step."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_PASSES = 20  # who looks for an anomaly looks at a step or some


def find(run: Run) -> Iterator[Finding]:
    """Nearly all backward passes of a training, with anomaly detection."""
    one = newest(run, "resources")
    if one is None or one["anomaly"] < _PASSES or one["anomaly"] < 0.9 * one["backwards"]:
        return
    code = Code.of(run)
    place = next((place for place, _node, _unit in code.calls("set_detect_anomaly", "detect_anomaly")), None)
    yield Finding(
        evidence=_(
            "{count} of {all} backward passes ran with anomaly detection.", count=one["anomaly"], all=one["backwards"]
        ),
        step=_PASSES,
        place=place,
        edits=_without(code, place),
        check="print(torch.is_anomaly_enabled())",
    )


def _without(code: Code, place: Place | None) -> tuple[Edit, ...]:
    spot = spot_of(code, place)
    return (spot.without(),) if spot is not None and spot.alone and isinstance(spot.node, ast.Expr) else ()


BROKEN = CLASSES.replace("torch.manual_seed(0)\n", "torch.manual_seed(0)\ntorch.autograd.set_detect_anomaly(True)\n")

rule = Rule(
    code="R10",
    name="anomaly-detection-on",
    voice="alarm",
    stage="resources",
    question="Is anomaly detection off while nobody looks for an anomaly?",
    needs=("resources",),
    find=find,
    text=Text(
        what="Anomaly detection is on in every step of this training.",
        why="It is a tool for finding the line that makes nan, and it makes each step much slower.",
        do="Remove torch.autograd.set_detect_anomaly(True), or put it around the few steps that you look into.",
    ),
    broken=BROKEN + "torch.autograd.set_detect_anomaly(False)\n",
    fixed=CLASSES,
    lookalikes={
        "the first steps are looked into": CLASSES.replace(
            "        loss.backward()\n",
            "        with torch.autograd.set_detect_anomaly(epoch == 0 and int(rows[0]) > 400):\n"
            "            loss.backward()\n",
        )
    },
)
