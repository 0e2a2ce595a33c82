"""L04 no-backward: the optimizer steps, and no gradient was ever computed."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, dotted, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_LOSSES = {"loss", "losses", "cost", "objective", "nll", "mse", "bce"}
# What is called so as well, and is a function, a sum for people, or of an earlier step.
_NO_LOSSES = {"fn", "func", "function", "running", "epoch", "total", "avg", "average", "mean", "best", "last", "old",
              "previous", "history", "val", "valid", "validation", "test", "weight", "scale"}  # fmt: skip
_ONLY_TOLD = ("print", "append", "item", "float", "log", "format", "isnan", "isfinite", "add_scalar", "debug", "info",
              "write", "round", "set_postfix")  # fmt: skip


def find(run: Run) -> Iterator[Finding]:
    """Steps without a gradient in a program that made no backward pass."""
    rows = newest(run, "order_of_steps") or []
    told = newest(run, "witness") or {}
    if "compile" in told.get("blind", []):
        return
    if (newest(run, "passes") or {}).get("backwards"):
        yield from _forgotten(Code.of(run), rows)
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


def _forgotten(code: Code, rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """Of several optimizers, or several trainings, one that never got a gradient, and a loss that nothing sends back.

    A cut graph (M13) or the weights of another model (L06) leave an optimizer without gradients just as well, but then
    all losses that are computed beside its step go backward.
    """
    for one in rows:
        # Later steps of a second training may not have been heard: then its weights have to be what they were.
        if one["reached"] or one["bare"] < (3 if one.get("rests") else 5) or one["bare"] < min(one["steps"], 200):
            continue
        place = Place.from_json(one["stepped"])
        spot = spot_of(code, place)
        losses = _not_sent(spot) if spot is not None else []
        if spot is None or not losses:
            continue
        name, made = losses[-1]
        yield Finding(
            evidence=_(
                "At {steps} steps of {optimizer} that were heard, none of its weights had a gradient. {loss} is "
                "computed, and backward() is not called for it.",
                optimizer=one["optimizer"],
                steps=one["steps"],
                loss=name,
            ),
            step=one["bare_step"],
            place=place,
            places=(spot.unit.place(made),),
            edits=(spot.before(f"{name}.backward()"),) if spot.alone and len(losses) == 1 else (),
            check="print([p.grad for group in optimizer.param_groups for p in group['params']])",
        )
        return


def _not_sent(spot: Spot) -> list[tuple[str, ast.stmt]]:
    """What is called a loss above a step, in its function, and goes neither backward nor anywhere it might from."""
    scope = spot.function or spot.unit.tree
    nodes, block = list(ast.walk(scope)), [one for one in spot.block() if one.lineno < spot.node.lineno]
    made: dict[str, ast.stmt] = {}
    parts: dict[str, set[str]] = {}
    for node in nodes:
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                name = dotted(one)
                if name:
                    parts.setdefault(name, set()).update(_names(node.value))
                    words = words_in(name)
                    if words & _LOSSES and not words & _NO_LOSSES and node in block and _is_computed(node.value):
                        made[name] = node
    sent: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call):
            if "backward" in callee(node):
                sent |= _names(node)
            elif callee(node) not in _ONLY_TOLD:  # a function of theirs may send it
                sent |= _dotted(*node.args, *(one.value for one in node.keywords))
        elif isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            sent |= _dotted(node.value)
        elif isinstance(node, ast.Dict):
            sent |= _dotted(*node.values)
        elif isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
            sent |= _dotted(*node.elts)
    waiting = list(sent)
    while waiting:  # a sum that goes backward takes its terms with it
        for name in parts.get(waiting.pop(), ()):
            if name not in sent:
                sent.add(name)
                waiting.append(name)
    return sorted(((name, node) for name, node in made.items() if name not in sent), key=lambda one: one[1].lineno)


def _dotted(*nodes: ast.AST) -> set[str]:
    return {name for one in nodes if (name := dotted(one))}


def _names(node: ast.AST) -> set[str]:
    return {name for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute) and (name := dotted(one))}


def _is_computed(value: ast.AST) -> bool:
    """Whether it may be a tensor: made by a function or from others, and not taken out as a number."""
    if not isinstance(value, ast.Call | ast.BinOp | ast.UnaryOp):
        return False
    if isinstance(value, ast.Call) and (callee(value) == "detach" or callee(value)[:1].isupper()):
        return False
    return not any(isinstance(one, ast.Call) and callee(one) in ("item", "float", "len") for one in ast.walk(value))


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
TWO = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
first, second = nn.Linear(8, 3), nn.Linear(8, 3)
first_optimizer = torch.optim.SGD(first.parameters(), lr=0.1)
optimizer = torch.optim.SGD(second.parameters(), lr=0.1)
for step in range(20):
    first_optimizer.zero_grad()
    optimizer.zero_grad()
    first_loss = nn.functional.cross_entropy(first(x), y)
    second_loss = nn.functional.cross_entropy(second(x), y)
    first_loss.backward()
    first_optimizer.step()
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
        what="The optimizer makes steps, but backward() is never called for its loss.",
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
        "two losses, and one sum of them that goes backward": TWO.replace(
            "    first_loss.backward()\n", "    cost = first_loss + second_loss\n    cost.backward()\n"
        ),
        "a function of theirs sends it": TWO.replace(
            "    optimizer.step()\n", "    send(second_loss)\n    optimizer.step()\n"
        ).replace("for step", "def send(loss):\n    loss.backward()\n\n\nfor step"),
        "a second model that learns later": TWO.replace(
            "    optimizer.step()\n",
            "    if step >= 10:\n        second_loss.backward()\n    optimizer.step()\n",
        ),
    },
    explains=("L15", "M25", "D01", "L12", "M12", "M13", "L08"),
)
