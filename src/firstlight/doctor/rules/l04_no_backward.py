"""L04 no-backward: the optimizer steps, and no gradient was ever computed."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import Spot, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Steps without a gradient in a program that made no backward pass."""
    rows = newest(run, "order_of_steps") or []
    told = newest(run, "witness") or {}
    if (newest(run, "passes") or {}).get("backwards") or "compile" in told.get("blind", []):
        return
    taken = told.get("backwards", 0)  # gradients that torch.autograd.grad gave back, and that nobody wrote into .grad
    code = Code.of(run)
    for one in rows:
        if one["bare"] < 5 or one["bare"] < min(one["steps"], 50) or (taken and taken < 0.5 * one["steps"]):
            continue
        place = Place.from_json(one["stepped"])
        yield Finding(
            evidence=_(
                "{optimizer} made {steps} steps, and no weight had a gradient. "
                "What torch.autograd.grad() gives back is not written into .grad.",
                optimizer=one["optimizer"],
                steps=one["steps"],
            )
            if taken
            else _(
                "{optimizer} made {steps} steps. There was no backward pass, and no weight has a gradient.",
                optimizer=one["optimizer"],
                steps=one["steps"],
            ),
            step=one["bare_step"],
            place=place,
            edits=_with_backward(spot_of(code, place)) if not taken else (),
            check="print([p.grad for p in model.parameters()])",
        )


def _with_backward(spot: Spot | None) -> tuple[Edit, ...]:
    """`loss.backward()` in front of the step, where one name above it in its block is called a loss."""
    if spot is None or not spot.alone:
        return ()
    names = {
        target.id
        for statement in spot.block()
        if isinstance(statement, ast.Assign) and statement.lineno < spot.node.lineno
        for target in statement.targets
        if isinstance(target, ast.Name) and "loss" in target.id.lower()
    }
    return (spot.before(f"{names.pop()}.backward()"),) if len(names) == 1 else ()


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
    optimizer.step()
"""

rule = Rule(
    code="L04",
    name="no-backward",
    voice="alarm",
    stage="order",
    question="Are gradients computed before the optimizer steps?",
    needs=("order_of_steps",),
    find=find,
    text=Text(
        what="The optimizer makes steps, but backward() is never called.",
        why="Without backward() no weight has a gradient, and a step without gradients changes nothing.",
        do="Call loss.backward() before optimizer.step().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    optimizer.step()", "    loss.backward()\n    optimizer.step()"),
    lookalikes={
        "gradients written by hand": BROKEN.replace(
            "    optimizer.step()\n",
            "    for w in model.parameters():\n        w.grad = torch.full_like(w, 0.01)\n    optimizer.step()\n",
        ),
        "gradients of torch.autograd.grad": BROKEN.replace(
            "    optimizer.step()\n",
            "    weights = list(model.parameters())\n"
            "    for w, found in zip(weights, torch.autograd.grad(loss, weights)):\n        w.grad = found\n"
            "    optimizer.step()\n",
        ),
        "gradients of torch.func": BROKEN.replace(
            "    optimizer.step()\n",
            "    weights = dict(model.named_parameters())\n"
            "    def cost(weights):\n"
            "        out = torch.func.functional_call(model, weights, (x,))\n"
            "        return nn.functional.cross_entropy(out, y)\n"
            "    found = torch.func.grad(cost)({k: v.detach() for k, v in weights.items()})\n"
            "    for name, w in weights.items():\n        w.grad = found[name]\n    optimizer.step()\n",
        ),
    },
    explains=("L15", "M25", "D01", "L12", "M12", "M13", "L08"),
)
