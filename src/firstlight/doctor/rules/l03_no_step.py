"""L03 no-step: gradients are computed again and again, and nothing changes the weights."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import assigned_at, dotted, functions_of, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 20  # one step may rightly follow many backward passes; so many without a single one, and none at the end, no


def find(run: Run) -> Iterator[Finding]:
    """An optimizer whose weights got gradients many times, that never made a step, and whose weights never changed."""
    code = Code.of(run)
    rows = newest(run, "order_of_steps") or []
    coverage = newest(run, "coverage") or {}
    others = any(one["steps"] for one in rows)
    for one in rows:
        if one["steps"] or one["reached"] < _TIMES or one["changed"] or not one["unchanged"]:
            continue
        backward, made = Place.from_json(one["backward"]), Place.from_json(one["made"])
        yield Finding(
            evidence=_(
                "{count} backward passes gave gradients to the weights of {optimizer}. "
                "It made no step, and the weights are what they were.",
                count=one["reached"],
                optimizer=one["optimizer"],
            ),
            step=_TIMES - 1,
            place=backward,
            # Another optimizer steps: this one may be for a later part of the training, where the program has such.
            voice="question" if others and not _is_served(code, one) and _may_step(code, made) else "alarm",
            edits=() if others else _stepping(code, backward, made),
        )
    yield from _still_by_hand(run, code)
    if rows or coverage.get("optimizers") or coverage.get("backwards", 0) < _TIMES:
        return
    for root in coverage["roots"]:
        # No optimizer at all: weights changed by hand, or gradients wanted for themselves.
        if root["training"] and root["unchanged"] and not root["changed"]:
            place = _by_hand(code)
            yield Finding(
                evidence=_(
                    "{count} backward passes ran. No weight of {root} has changed since.",
                    count=coverage["backwards"],
                    root=root["root"],
                ),
                step=_TIMES - 1,
                place=place,
                voice="alarm" if place is not None else "question",
            )


def _is_served(code: Code, one: dict[str, Any]) -> bool:
    """Whether its gradients are set back as if it stepped, and no step of the program waits for a condition."""
    if one.get("cleared", 0) < _TIMES or one["cleared"] < 0.9 * one["reached"]:
        return False
    steps = [spot_of(code, place) for place, _call, _unit in code.calls("step")]
    waits = [any(isinstance(node, ast.If) for node in spot.around) for spot in steps if spot is not None]
    inside = [node for _at, node, _unit in code.walk(ast.IfExp) if "step" in ast.unparse(node)]
    return not any(waits) and not inside


def _may_step(code: Code, made: Place | None) -> bool:
    """Whether a line asks the optimizer of this place to step, or hands it to something that may."""
    name = assigned_at(spot_of(code, made))
    if name is None:
        return True
    last = name.rsplit(".", 1)[-1]
    for _at, call, _unit in code.walk(ast.Call):
        if callee(call) == "step" and isinstance(call.func, ast.Attribute) and _ends(call.func.value, last):
            return True
    for _at, node, _unit in code.walk(ast.AST):
        if isinstance(node, ast.Call) and "LR" in callee(node):
            continue
        if isinstance(node, ast.Attribute) and _ends(node.value, last):
            continue  # what it is asked for: zero_grad, its groups
        inside = [one for one in ast.iter_child_nodes(node) if _ends(one, last)]
        if any(isinstance(getattr(one, "ctx", None), ast.Load) for one in inside):
            return True
    return False


def _ends(node: ast.AST, last: str) -> bool:
    return (dotted(node) or "").rsplit(".", 1)[-1] == last


def _still_by_hand(run: Run, code: Code) -> Iterator[Finding]:
    """The same of weights that belong to no model."""
    one = newest(run, "order_by_hand") or {}
    if one.get("still", 0) < _TIMES or one["chances"]:
        return
    place = _by_hand(code)
    spot = spot_of(code, place)
    loops = [loop for loop in spot.loops if isinstance(loop, ast.For)] if spot is not None else []
    root = ast.unparse(loops[0].iter) if loops else ""
    if place is None:
        place, root = _thrown_away(code)
    if place is not None:
        yield Finding(
            evidence=_(
                "{count} backward passes ran. No weight of {root} has changed since.", count=one["still"], root=root
            ),
            step=_TIMES - 1,
            place=place,
        )


def _by_hand(code: Code) -> Place | None:
    """Where a loop over weights gives its own name a new value, `p = p - lr * p.grad`, which changes no weight."""
    for spot in spots(code):
        name = assigned_at(spot)
        if name is None or not isinstance(spot.node, ast.Assign):
            continue
        used = {dotted(one) for one in ast.walk(spot.node.value) if isinstance(one, ast.Attribute)}
        over = [loop for loop in spot.loops if isinstance(loop, ast.For)]
        if f"{name}.grad" in used and any(
            name in {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)} for loop in over
        ):
            return spot.place
    return None


def _thrown_away(code: Code) -> tuple[Place | None, str]:
    """Where a function that gives new weights, `w - rate * slope`, is called and what it gives is not kept."""
    for spot in spots(code):
        call = spot.node.value if isinstance(spot.node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not call.args:
            continue
        for function in functions_of(code, call):
            if any(isinstance(node, ast.AugAssign) or (isinstance(node, ast.Attribute) and node.attr == "data")
                   for node in ast.walk(function)):  # fmt: skip
                continue
            less = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp)
                and isinstance(node.right.op, ast.Mult)
            ]  # fmt: skip
            if less and any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function)):
                return spot.place, ast.unparse(call.args[0])
    return None, ""


def _stepping(code: Code, backward: Place | None, made: Place | None) -> tuple[Edit, ...]:
    """`optimizer.step()` behind the backward pass, where the optimizer's name is known there."""
    at, birth = spot_of(code, backward), spot_of(code, made)
    name = assigned_at(birth)
    if at is None or birth is None or name is None or not at.alone or birth.unit is not at.unit:
        return ()
    if birth.function is None or birth.function is at.function or name.startswith("self."):
        return (at.after(f"{name}.step()"),)
    return ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(60):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
"""

rule = Rule(
    code="L03",
    name="no-step",
    voice="alarm",
    stage="order",
    question="Does something change the weights?",
    needs=("order_of_steps", "order_by_hand", "coverage"),
    find=find,
    text=Text(
        what="Gradients are computed, but no step changes the weights.",
        why="backward() only writes gradients. The weights move when the optimizer makes a step.",
        do="Call optimizer.step() after loss.backward().",
    ),
    broken=BROKEN,
    fixed=BROKEN + "    optimizer.step()\n",
    lookalikes={
        "the second optimizer is for later": BROKEN.replace(
            "optimizer = torch", "later = torch.optim.SGD(model.parameters(), lr=0.01)\noptimizer = torch"
        )
        + "    (later if step > 99 else optimizer).step()\n",
        "changes weights by hand": BROKEN.replace(
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", ""
        ).replace("optimizer.zero_grad()", "model.zero_grad()")
        + "    for p in model.parameters():\n        p.data -= 0.1 * p.grad\n",
        "changes weights by hand beside an optimizer": BROKEN
        + "    for p in model.parameters():\n        p.data.add_(p.grad, alpha=-0.1)\n",
        "one step for sixteen batches": BROKEN.replace("    optimizer.zero_grad()\n", "")
        + "    if step % 16 == 15:\n        optimizer.step()\n        optimizer.zero_grad()\n",
        "gradients of inputs": BROKEN.replace("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", "")
        .replace("    optimizer.zero_grad()\n", "")
        .replace("model = nn.Linear(8, 3)\n", "model = nn.Linear(8, 3).eval()\nx.requires_grad_()\n"),
    },
    explains=("L15", "M25", "D01", "L09"),
)
