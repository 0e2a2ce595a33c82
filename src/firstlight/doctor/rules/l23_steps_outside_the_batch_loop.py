"""L23 steps-outside-the-batch-loop: losses of all batches are computed, and only the last one of an epoch is used."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, calls_in, dotted, spot_of
from firstlight.doctor.loops import BatchLoop, targets
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, Voice, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Forward passes whose results are thrown away, then one that is used; or gradients of which only the last are."""
    code = Code.of(run)
    passes = newest(run, "passes") or {}
    if passes.get("outside", 0) >= 2 and passes["outside"] >= 0.5 * passes["outside_asked"]:
        backward, forward = Place.from_json(passes["outside_backward"]), Place.from_json(passes["outside_forward"])
        yield Finding(
            evidence=_(
                "Before {count} backward passes, up to {lost} forward passes at the same line were thrown away unused.",
                count=passes["outside"],
                lost=passes["outside_count"],
            ),
            step=passes["outside_step"],
            place=backward,
            places=(forward,) if forward is not None else (),
            edits=_indented(spot_of(code, backward)),
        )
    if not passes.get("forward"):
        yield from _last_of_a_loop(run, code)  # a net of plain functions: no call of a model tells of its passes
    fails = not (newest(run, "progress") or {}).get("learns", True)
    scaled = (newest(run, "accumulation") or {}).get("scaled", 0)  # losses that are divided are meant to add up
    for one in newest(run, "order_of_steps") or []:
        stepped = Place.from_json(one["stepped"])
        if one["thrown"] >= 2 and one["thrown"] >= 0.5 * one["steps"]:
            if one["most_thrown"] < 5 or is_conditional(spot_of(code, stepped)):
                continue  # that is L21
            yield Finding(
                evidence=_(
                    "Before {count} of {steps} steps of {optimizer}, "
                    "the gradients of five or more batches were set back unused.",
                    count=one["thrown"],
                    steps=one["steps"],
                    optimizer=one["optimizer"],
                ),
                step=one["thrown_step"],
                place=stepped,
                edits=_indented(spot_of(code, stepped)),
            )
        elif not scaled and (
            (one["epochs"] >= 2 and one["epochs"] >= 0.9 * one["steps"])
            or _stands_behind(code, one, Place.from_json(one["backward"]), stepped)
        ):
            # One step of the whole dataset may be meant, and then learns.
            yield _one_after_each(code, one, stepped, "alarm" if fails else "question")


def _one_after_each(code: Code, one: dict[str, Any], place: Place | None, voice: Voice | None = None) -> Finding:
    return Finding(
        evidence=_(
            "{optimizer} made {steps} steps for {passes} backward passes: one after each loop over batches.",
            steps=one["steps"],
            passes=one["reached"],
            optimizer=one["optimizer"],
        ),
        step=None,
        place=place,
        voice=voice,
        edits=_indented(spot_of(code, Place.from_json(one["stepped"]))),
    )


def _last_of_a_loop(run: Run, code: Code) -> Iterator[Finding]:
    """A loss that each turn of a loop over batches computes anew, and that goes backward behind the loop."""
    for one in newest(run, "order_of_steps") or []:
        backward = Place.from_json(one["backward"])
        spot = spot_of(code, backward)
        names = {dotted(call.func.value) for call in calls_in(spot.node, "backward") if isinstance(
                 call.func, ast.Attribute)} if spot is not None else set()  # fmt: skip
        if spot is None or len(names) != 1 or one["steps"] < 2 or spot.node not in spot.block():
            continue
        name = names.pop()
        for before in reversed(spot.block()[: spot.block().index(spot.node)]):
            if name in targets(before):
                break
            over = before.iter if isinstance(before, ast.For) else None
            if not isinstance(before, ast.For) or (
                isinstance(over, ast.Call) and callee(over) == "range" and len(over.args) == 1
            ):
                continue  # so many turns of something, and no batches
            loop = BatchLoop(spot.unit, before, spot.unit.tree, (), None)
            made = loop.assigned.get(name or "", [])
            if not made or name not in loop.fed or name in loop.carried or loop.ends_early:
                continue
            yield _one_after_each(code, one, backward)
            return


def _stands_behind(code: Code, one: dict[str, Any], backward: Place | None, stepped: Place | None) -> bool:
    """Whether a step of five passes and more stands behind the loop that its backward pass is in."""
    step, loss = spot_of(code, stepped), spot_of(code, backward)
    if step is None or loss is None or step.unit is not loss.unit or step.function is not loss.function:
        return False
    if not loss.loops or not step.loops or loss.loops[0] in step.around:
        return False
    others = [node for node in ast.walk(step.loops[0]) if isinstance(node, ast.Call) and callee(node) == "backward"]
    if len(others) != 1:
        return False  # this step may be another's: that of the loop was an attack, or a penalty
    return bool(one["steps"] >= 2 and one["reached"] >= 5 * one["steps"] and not one["thrown"])


def is_conditional(spot: Spot | None) -> bool:
    """Whether a step stands under an `if` inside of its loop: every so many batches."""
    if spot is None or not spot.loops:
        return False
    inside = spot.around[spot.around.index(spot.loops[0]) :]
    return any(isinstance(one, ast.If) for one in inside)


def _indented(spot: Spot | None) -> tuple[Edit, ...]:
    """The statements from the end of the batch loop to the step, moved into it."""
    if spot is None:
        return ()
    block = spot.block()
    at = block.index(spot.node) if spot.node in block else 0
    start = at
    while start and not isinstance(block[start - 1], ast.For | ast.While):
        start -= 1
    if not start:
        return ()
    loop = block[start - 1]
    end = max(
        (i for i in range(start, len(block)) if _is_of_a_step(block[i])), default=at
    )  # the step and zero_grad behind a backward pass belong to it
    moved = block[start : end + 1]
    if not all(_is_of_a_step(one) for one in moved) or not isinstance(loop, ast.For | ast.While):
        return ()
    first, last = moved[0].lineno, moved[-1].end_lineno or moved[-1].lineno
    deeper = " " * (loop.body[0].col_offset - loop.col_offset)
    lines = spot.unit.text.split("\n")[first - 1 : last]
    return (Edit(first, len(lines), tuple(deeper + line if line.strip() else line for line in lines), spot.unit.file),)


def _is_of_a_step(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    func = node.value.func
    names = ("zero_grad", "backward", "step", "update", "clip_grad_norm_", "clip_grad_value_")
    if isinstance(func, ast.Attribute) and "sched" in ast.unparse(func.value).lower():
        return False
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")) in names


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(4):
    for start in range(0, 256, 16):
        out = model(x[start : start + 16])
        loss = nn.functional.cross_entropy(out, y[start : start + 16])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_STEP = "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n"
_INSIDE = "        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n"

rule = Rule(
    code="L23",
    name="steps-outside-the-batch-loop",
    voice="alarm",
    stage="order",
    question="Is there a step for each batch whose loss is computed?",
    needs=("passes", "order_of_steps"),
    find=find,
    text=Text(
        what="The step stands outside of the loop over batches, so only one batch of each epoch is used.",
        why="Python's indentation decides what is repeated. The losses of all other batches are thrown away.",
        do="Indent zero_grad(), backward() and step() so that they stand inside of the loop over batches.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(_STEP, _INSIDE),
    lookalikes={
        "losses of an epoch go backward as one sum": BROKEN.replace(
            "    for start", "    total = 0\n    for start"
        ).replace(_STEP, "        total = total + loss\n" + _STEP.replace("loss.", "total.")),
        "evaluates with gradients on": BROKEN.replace(
            "    optimizer.zero_grad()\n",
            "    optimizer.zero_grad()\n    loss = nn.functional.cross_entropy(model(x), y)\n",
        ),
        "an attack takes five gradients for each batch": BROKEN.replace(_STEP, _INSIDE).replace(
            "        loss = ",
            "        for _ in range(6):\n            near = x[:16].clone().requires_grad_()\n"
            "            model(near).sum().backward()\n            optimizer.zero_grad()\n        loss = ",
        ),
        "only half of the candidates are followed": BROKEN.replace(_STEP, _INSIDE).replace(
            "        loss = ",
            "        with torch.no_grad():\n            for _ in range(6):\n"
            "                model(x[:16])\n        loss = ",
        ),
    },
    explains=("E04", "L15", "M25", "D13", "D01", "L21"),
)
