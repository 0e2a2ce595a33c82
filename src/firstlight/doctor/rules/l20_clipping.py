"""L20 clipping: gradients clipped before they are there, to nothing, while they are scaled; or the loss clipped."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import assigned_at, calls_in, dotted, optimizer_at, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Five ways to clip that do not do what clipping is for."""
    one = newest(run, "clipping") or {}
    code = Code.of(run)
    place, backward = Place.from_json(one.get("place")), Place.from_json(one.get("backward"))
    if one.get("early", 0) >= 5 and one["early"] >= 0.9 * one["clips"]:
        yield Finding(
            evidence=_(
                "{count} of {clips} times the gradients were clipped after the last step and before backward(), "
                "when this batch's gradients did not exist.",
                count=one["early"],
                clips=one["clips"],
            ),
            step=one["early_step"],
            place=place,
            edits=_behind(code, place, backward),
        )
    elif one.get("tiny", 0) >= 3 and one["tiny"] >= 0.9 * one["clips"]:
        yield Finding(
            evidence=_("The gradients are clipped to {most}: next to nothing is left of them.", most=one["most"]),
            step=one["tiny_step"],
            place=place,
        )
    elif one.get("nothing", 0) >= 3 and one["nothing"] >= 0.9 * one["clips"]:
        made = _given(code, place)
        yield Finding(
            evidence=_(
                "{count} of {clips} times there was nothing to clip: the weights that were handed over had been gone "
                "through before, as those of parameters() can be only once.",
                count=one["nothing"],
                clips=one["clips"],
            ),
            step=one["nothing_step"],
            place=made or place,
            places=(place,) if made is not None and place is not None else (),
        )
    elif one.get("of_loss", 0) >= 3:
        yield Finding(
            evidence=_("{count} times a computed value was clipped instead of weights.", count=one["of_loss"]),
            step=3,
            place=place,
        )
    elif one.get("cut", 0) >= 3:
        yield Finding(
            evidence=_(
                "{count} times the loss stood at the bound that it is clamped to, {most}, where its gradient is zero.",
                count=one["cut"],
                most=one["cut_at"],
            ),
            step=3,
            place=backward,
        )
    elif one.get("still_scaled", 0) >= 3:
        scaled = Place.from_json(one["scaled_place"])
        yield Finding(
            evidence=_(
                "{count} times gradients were clipped that a GradScaler had scaled up and not yet scaled back.",
                count=one["still_scaled"],
            ),
            step=one["still_step"],
            place=scaled,
            edits=_unscaled(code, scaled),
        )


def _given(code: Code, place: Place | None) -> Place | None:
    """The one line that gives what is clipped its name: `weights = model.parameters()`."""
    clip = spot_of(code, place)
    calls = calls_in(clip.node, "clip_grad_norm_", "clip_grad_value_") if clip is not None else []
    name = dotted(calls[0].args[0]) if len(calls) == 1 and calls[0].args else None
    last = name.rsplit(".", 1)[-1] if name is not None else None
    found = [
        spot
        for spot in spots(code)
        if last is not None
        and (assigned_at(spot) or "").rsplit(".", 1)[-1] == last
        and calls_in(spot.node, "parameters", "filter", "chain", "named_parameters")
    ]
    return found[0].place if len(found) == 1 else None


def _behind(code: Code, place: Place | None, backward: Place | None) -> tuple[Edit, ...]:
    """The clipping behind the backward pass: the later line first."""
    clip, loss = spot_of(code, place), spot_of(code, backward)
    if clip is None or loss is None or not clip.alone or not loss.alone or "\n" in clip.text:
        return ()
    if clip.unit is not loss.unit or loss.node not in clip.block() or loss.node.lineno <= clip.node.lineno:
        return ()
    return (loss.after(clip.text), clip.without())


def _unscaled(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """`scaler.unscale_(optimizer)` in front of the clipping."""
    clip = spot_of(code, place)
    if clip is None or not clip.alone:
        return ()
    for after in clip.block():
        if after.lineno <= clip.node.lineno:
            continue
        for call in calls_in(after, "step"):
            found = spot_of(code, clip.unit.place(call))
            scaler = dotted(call.func.value) if hasattr(call.func, "value") else None
            optimizer = optimizer_at(found)
            if scaler is not None and optimizer is not None and scaler != optimizer:
                return (clip.before(f"{scaler}.unscale_({optimizer})"),)
    return ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    loss.backward()
    optimizer.step()
"""
_CLIP = "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
_RIGHT = BROKEN.replace(_CLIP + "    loss.backward()\n", "    loss.backward()\n" + _CLIP)

rule = Rule(
    code="L20",
    name="clipping",
    voice="alarm",
    stage="order",
    question="Are gradients clipped between backward and step?",
    needs=("clipping",),
    find=find,
    text=Text(
        what="The gradients are clipped at the wrong time or to the wrong size.",
        why="Clipping changes the gradients that are there when it is called, and no others.",
        do="Call clip_grad_norm_(model.parameters(), 1.0) after backward() (and unscale_) and before step().",
    ),
    broken=BROKEN,
    fixed=_RIGHT,
    lookalikes={
        "two models, one of them clipped": _RIGHT.replace(
            "    optimizer.zero_grad()\n",
            "    second.zero_grad()\n    other(x).mean().backward()\n    second.step()\n    optimizer.zero_grad()\n",
        ).replace(
            "optimizer = ",
            "other = nn.Linear(8, 1)\nsecond = torch.optim.SGD(other.parameters(), lr=0.01)\noptimizer = ",
        ),
        "clips what several batches add up to": _RIGHT.replace("    optimizer.zero_grad()\n", "").replace(
            _CLIP + "    optimizer.step()\n",
            "    if step % 4 == 3:\n    " + _CLIP + "        optimizer.step()\n        optimizer.zero_grad()\n",
        ),
    },
    explains=("L02", "L15", "M25", "L18"),
)
