"""L17 weight-decay-too-large: the weights are pulled to zero faster than they learn."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import number_changed
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A training that does not learn, whose weights shrink, and whose decay is larger than its gradients."""
    one = newest(run, "progress") or {}
    yield from _penalty(run, one)
    decay = one.get("numbers", {}).get("weight_decay", 0.0)
    if not one or one["learns"] or one["steps"] < 20 or decay < 0.01 or len(one["norms"]) < 2:
        return
    before, after, slope = one["norms"][0][1], one["norms"][1][1], one["norms"][1][2]
    tried = one["tried"] or {}
    start, same, without = tried.get("start"), tried.get("1"), tried.get("decay")
    # The same steps on a copy. Without decay it learns, by the tenth that counts as learning everywhere; with it, it
    # does not, and what it gains is less than a third of that: the start may lie above what guessing costs. And the
    # weights did shrink, so it is the decay that holds them.
    proven = (
        start is not None
        and without is not None
        and without < 0.9 * start
        and (same is None or (same > 0.9 * start and start - same < (start - without) / 3))
        and min(after / before if before else 1.0, tried.get("shrunk") or 1.0) < 0.9
    )
    # Ten times the gradient, and a fifth of the weights gone: ordinary decay is far below its gradient while learning.
    if not proven and not (after < 0.8 * before and decay * after > 10 * slope):
        return
    place = Place.from_json(one["made"])
    yield Finding(
        evidence=_(
            "With weight_decay={decay:g} the weights shrank from {before:.3g} to {after:.3g}, "
            "and the loss went from {first:.3g} to {last:.3g}.",
            decay=decay,
            before=before,
            after=after,
            first=one["first"] or 0.0,
            last=one["last"] or 0.0,
        ),
        step=20,
        place=place,
        voice="alarm" if proven else "question",
        edits=number_changed(Code.of(run), place, "weight_decay", 1e-4),
    )


def _penalty(run: Run, one: dict[str, Any]) -> Iterator[Finding]:
    """A number times the sum of all squared weights within the loss: at the first step, more than half of it."""
    first, norms = one.get("first"), one.get("norms") or []
    if not first or len(norms) < 2 or norms[1][1] > 0.9 * norms[0][1]:
        return
    code = Code.of(run)
    sums = {
        target.id
        for _place, node, _unit in code.walk(ast.Assign)
        if _sums_squares(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for place, node, _unit in code.walk(ast.BinOp):
        if not isinstance(node.op, ast.Mult):
            continue
        for factor, other in ((node.left, node.right), (node.right, node.left)):
            if not (_sums_squares(other) or (isinstance(other, ast.Name) and other.id in sums)):
                continue
            number = _number(code, factor)
            if number is not None and number * norms[0][1] ** 2 > 0.5 * first:
                yield Finding(
                    evidence=_(
                        "{number:g} times the squared weights was {share:.0%} of the first loss, {first:.3g}; the "
                        "weights shrank from {before:.3g} to {after:.3g} in {steps} steps.",
                        number=number,
                        share=min(number * norms[0][1] ** 2 / first, 1.0),
                        first=first,
                        before=norms[0][1],
                        after=norms[1][1],
                        steps=norms[1][0] - norms[0][0],
                    ),
                    step=20,
                    place=place,
                    voice="question",
                )
                return


def _sums_squares(node: ast.AST) -> bool:
    """Whether an expression goes over `parameters()` and sums squares."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    names = {callee(one) for one in calls}
    squares = "square" in names or any(
        callee(one) == "pow" and any(getattr(given, "value", 0) == 2 for given in one.args) for one in calls
    )
    squares |= any(
        isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow) and getattr(one.right, "value", 0) == 2
        for one in ast.walk(node)
    )
    return squares and "sum" in names and bool(names & {"parameters", "named_parameters"})


def _number(code: Code, node: ast.expr) -> float | None:
    """A number, or a name that the program gives one number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    found = {
        one.value.value
        for _place, one, _unit in code.walk(ast.Assign)
        if isinstance(one.value, ast.Constant) and isinstance(one.value.value, float)
        for target in one.targets
        if name and (getattr(target, "id", "") == name or getattr(target, "attr", "") == name)
    }
    return float(found.pop()) if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=2.0)
for step in range(60):
    at = torch.arange(32) + step % 8 * 32
    loss = nn.functional.cross_entropy(model(x[at]), y[at])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L17",
    name="weight-decay-too-large",
    voice="alarm",
    stage="dynamics",
    question="Do the weights learn more than they decay?",
    needs=("progress",),
    find=find,
    text=Text(
        what="The weight decay is so large that the weights go to zero instead of learning.",
        why="Each step pulls all weights towards zero by this share. Here that pull is stronger than the gradient.",
        do="Use a much smaller weight_decay, such as 1e-4 for SGD or 0.01 for AdamW.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("weight_decay=2.0", "weight_decay=1e-4"),
    lookalikes={
        "some decay": BROKEN.replace("weight_decay=2.0", "weight_decay=0.02"),
        "nothing can be learned from noise": BROKEN.replace("weight_decay=2.0", "weight_decay=0.05").replace(
            "y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()", "y = torch.randint(3, (256,))"
        ),
    },
    explains=("E11", "E12", "M25"),
)
