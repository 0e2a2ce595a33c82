"""L29 loss-arguments-swapped: the model's output stands where the target belongs."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import calls_in, spot_of
from firstlight.doctor.failing import evidence_of, failure_of, line_of, tensor_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A loss whose target can learn and whose input cannot. Only losses for which the order matters are asked."""
    yield from _refused(run)
    for one in (newest(run, "losses") or {}).get("swapped", []):
        if one["count"] < 3:
            continue
        place = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "In {count} calls of {name}, the second argument came from the model (it has a gradient), "
                "the first one did not.",
                count=one["count"],
                name=one["name"],
            ),
            step=one["step"],
            place=place,
            edits=_swapped(Code.of(run), place),
            check="print(output.requires_grad, target.requires_grad)  # right: True False",
        )


def _refused(run: Run) -> Iterator[Finding]:
    """The same where the loss could not be computed at all."""
    failure = failure_of(run, r".")
    if failure is None:
        return
    first, second = tensor_of(failure, "input"), tensor_of(failure, "target")
    if first is None or second is None or first["learns"] or not second["learns"]:
        return
    place = line_of(failure)
    yield Finding(
        evidence=evidence_of(failure), step=failure["step"], place=place, edits=_swapped(Code.of(run), place),
        check="print(output.requires_grad, target.requires_grad)  # right: True False",
    )  # fmt: skip


def _swapped(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The two arguments in the other order."""
    spot = spot_of(code, place)
    if spot is None or not spot.alone:
        return ()
    calls = [call for call in calls_in(spot.node) if len(call.args) == 2 and all(_plain(one) for one in call.args)]
    if len(calls) != 1:
        return ()
    texts = [ast.get_source_segment(spot.unit.text, one) or "" for one in calls[0].args]
    old = ast.get_source_segment(spot.unit.text, calls[0]) or ""
    inner = f"{texts[0]}, {texts[1]}"
    if old.count(inner) != 1:
        return ()
    edit = spot.replaced(old, old.replace(inner, f"{texts[1]}, {texts[0]}"))
    return (edit,) if edit is not None else ()


def _plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
goal = torch.softmax(torch.stack([x[:, 0], x[:, 1], x[:, 2]], 1), 1)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.KLDivLoss(reduction="batchmean")
for step in range(20):
    out = model(x).log_softmax(1)
    loss = criterion(goal, out)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L29",
    name="loss-arguments-swapped",
    voice="alarm",
    stage="graph",
    question="Is the model's output the first argument of the loss?",
    needs=("losses", "failure"),
    find=find,
    text=Text(
        what="The loss is given the target first and the model's output second.",
        why="The two are treated differently, so this computes something else than the loss that is meant.",
        do="Write criterion(output, target): first what the model says, then what is right.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("criterion(goal, out)", "criterion(out, goal)"),
    lookalikes={
        "a symmetric loss": BROKEN.replace('KLDivLoss(reduction="batchmean")', "MSELoss()"),
        "two models teach each other": BROKEN.replace("criterion(goal, out)", "criterion(out, model(x).softmax(1))"),
    },
    explains=("M05", "L14", "L15", "L18", "M31", "D02", "D03", "M08", "R12", "X01", "L04", "L07"),
)
