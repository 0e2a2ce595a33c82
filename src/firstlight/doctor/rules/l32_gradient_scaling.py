"""L32 gradient-scaling: a GradScaler that scales one loss while another goes backward, or a step that it knows not."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import calls_in, dotted, spot_of, spots
from firstlight.doctor.failing import evidence_of, failure_of, line_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Scaled and unscaled in the wrong pairs."""
    failure = failure_of(run, r"_scale is None", types=("AssertionError",))
    if failure is not None:
        yield Finding(evidence=evidence_of(failure), step=failure["step"], place=line_of(failure))
    one = newest(run, "scaling") or {}
    code = Code.of(run)
    if one.get("unused", 0) >= 3 and one["steps"]:
        place = Place.from_json(one["backward"])
        yield Finding(
            evidence=_(
                "{count} times the loss was scaled and the scaled loss thrown away; the loss itself went backward. "
                "The scaler then divided its gradients all the same.",
                count=one["unused"],
            ),
            step=one["unused_step"],
            place=place,
            edits=_scaled(code, place),
        )
    if one.get("direct", 0) >= 3:
        place = Place.from_json(one["step"])
        yield Finding(
            evidence=_(
                "{count} steps used gradients of a scaled loss that were never scaled back.",
                count=one["direct"],
            ),
            step=one["direct_step"],
            place=place,
            edits=_stepped(code, place),
        )
    elif one.get("autocast", 0) >= 3:
        yield Finding(
            evidence=_("{count} of the backward passes that were looked at ran inside of autocast.",
                       count=one["autocast"]),
            step=2,
            place=Place.from_json(one["backward"]),
            voice="note",
        )  # fmt: skip


def _scaler(code: Code) -> str | None:
    """The name of the only scaler."""
    names = {
        dotted(call.func.value)
        for spot in spots(code)
        for call in calls_in(spot.node, "scale")
        if hasattr(call.func, "value")
    }
    return names.pop() if len(names) == 1 else None


def _scaled(code: Code, place: Place | None) -> tuple[Edit, ...]:
    spot, scaler = spot_of(code, place), _scaler(code)
    calls = calls_in(spot.node, "backward") if spot is not None else []
    if spot is None or scaler is None or len(calls) != 1 or not hasattr(calls[0].func, "value"):
        return ()
    loss = dotted(calls[0].func.value)
    edit = spot.replaced(f"{loss}.backward(", f"{scaler}.scale({loss}).backward(") if loss else None
    return (edit,) if edit is not None else ()


def _stepped(code: Code, place: Place | None) -> tuple[Edit, ...]:
    spot, scaler = spot_of(code, place), _scaler(code)
    calls = calls_in(spot.node, "step") if spot is not None else []
    if spot is None or scaler is None or len(calls) != 1 or calls[0].args or not hasattr(calls[0].func, "value"):
        return ()
    optimizer = dotted(calls[0].func.value)
    edit = spot.replaced(f"{optimizer}.step()", f"{scaler}.step({optimizer})") if optimizer else None
    if edit is None or not spot.alone:
        return ()
    updated = any(True for _call in code.calls("update"))
    return (edit,) if updated else (spot.after(f"{scaler}.update()"), edit)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    scaled = scaler.scale(loss)
    del scaled
    loss.backward()
    scaler.step(optimizer)
    scaler.update()
"""
_WRONG = "    scaled = scaler.scale(loss)\n    del scaled\n    loss.backward()\n"
_RIGHT = BROKEN.replace(_WRONG, "    scaler.scale(loss).backward()\n")

rule = Rule(
    code="L32",
    name="gradient-scaling",
    voice="alarm",
    stage="order",
    question="Are scaled losses and scaled steps in pairs?",
    needs=("scaling", "failure"),
    find=find,
    text=Text(
        what="Gradient scaling is done by halves.",
        why="scale() multiplies the loss, scaler.step() divides its gradients again. One needs the other.",
        do="Write scaler.scale(loss).backward(), scaler.step(optimizer), scaler.update(), outside of autocast.",
    ),
    broken=BROKEN,
    fixed=_RIGHT,
    lookalikes={
        "scaled back by hand, and clipped": _RIGHT.replace(
            "    scaler.step",
            "    scaler.unscale_(optimizer)\n    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    scaler.step",
        ),
        "half of the loss": _RIGHT.replace("scaler.scale(loss)", "(scaler.scale(loss) / 2)"),
        "a scaler that is off": _RIGHT.replace('GradScaler("cpu")', 'GradScaler("cpu", enabled=False)'),
    },
    explains=("L14", "L15", "L18", "L19"),
)
