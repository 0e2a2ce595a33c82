"""L13 scheduler-at-the-wrong-pace: a schedule of epochs is stepped for each batch, or one of batches for each epoch."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, calls_in, dotted, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_FALLING = ("StepLR", "MultiStepLR", "ExponentialLR", "MultiplicativeLR", "PolynomialLR", "LambdaLR")
_TINY = 1e-3  # of the first learning rate: what is left of it where four drops by ten follow at once


def find(run: Run) -> Iterator[Finding]:
    """A schedule that is over in the first epoch, or one that is hardly begun at the end of all epochs."""
    code = Code.of(run)
    for one in newest(run, "schedules") or []:
        place, stepped = Place.from_json(one["place"]), Place.from_json(one["stepped"])
        each = one["each"] >= 10 and one["each"] >= 0.9 * (one["calls"] - 1)
        if each and _is_over_at_once(one, _loops_around(code, one)):
            batches = one["passes"][0][0] if one["passes"] else None
            yield Finding(
                evidence=_(
                    "{scheduler} made {calls} steps, one for each batch. "
                    "The learning rate fell from {start:.2g} to {end:.2g}.",
                    scheduler=one["scheduler"],
                    calls=one["calls"],
                    start=one["start"],
                    end=min(one["rates"]),
                ),
                step=one["step"] if batches is None else min(batches, one["calls"]),
                place=place,
                edits=_for_each_epoch(spot_of(code, place)),
            )
        elif one["several"] >= 1 and not one["each"] and _is_hardly_begun(one):
            total = _length_of(one)
            yield Finding(
                evidence=_(
                    "{scheduler} is made for {total} steps. It is stepped once after {between} steps of the optimizer, "
                    "so it has made {calls}.",
                    scheduler=one["scheduler"],
                    total=total,
                    between=one["between"],
                    calls=one["calls"],
                ),
                step=one["between"] * 2,
                place=place,
                voice="alarm" if _counts_batches(code, one["scheduler"]) else "question",
                edits=_for_each_batch(spot_of(code, place), spot_of(code, stepped)),
            )
        elif one["several"] >= 2 and not one["each"] and _has_not_risen(one):
            yield Finding(
                evidence=_(
                    "{scheduler} is stepped once after {between} steps of the optimizer. "
                    "In {calls} steps the learning rate rose to {end:.2g} of {start:.2g}.",
                    scheduler=one["scheduler"],
                    between=one["between"],
                    calls=one["calls"],
                    end=one["rates"][-1],
                    start=one["start"],
                ),
                step=one["between"] * 3,
                place=place,
                voice="alarm" if _speaks_of_steps(code, one["scheduler"]) else "question",
                edits=_for_each_batch(spot_of(code, place), spot_of(code, stepped)),
            )


def _has_not_risen(one: dict[str, Any]) -> bool:
    """Whether a warm-up ends before it has come to a quarter of the rate."""
    rates = one["rates"]
    rises = len(rates) >= 3 and all(a < b for a, b in itertools.pairwise(rates))
    return rises and one["between"] >= 5 and bool(rates[-1] < 0.25 * one["start"])


def _speaks_of_steps(code: Code, kind: str) -> bool:
    """Whether what a schedule of this kind is made of has steps, iterations or batches in its names."""
    functions = {spot.node.name: spot.node for spot in spots(code) if isinstance(spot.node, ast.FunctionDef)}
    for spot in spots(code):
        for call in calls_in(spot.node, kind):
            given: list[ast.AST] = [*call.args[1:], *(one.value for one in call.keywords)]
            names = [(dotted(one) or "").rsplit(".", 1)[-1] for one in given if isinstance(one, ast.expr)]
            given += [functions[name] for name in names if name in functions]
            for node in (inner for value in given for inner in ast.walk(value)):
                name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
                if any(word in name.lower() for word in ("step", "iter", "batch")):
                    return True
    return False


def _loops_around(code: Code, one: dict[str, Any]) -> int:
    """How many loops run where it is stepped, in whatever functions; without those that go through callbacks."""
    count = 0
    for place in one.get("way") or [one["place"]]:
        spot = spot_of(code, Place.from_json(place))
        for loop in spot.loops if spot is not None else ():
            count += not _goes_through_callbacks(loop)
    return count


def _goes_through_callbacks(loop: ast.AST) -> bool:
    """`for one in callbacks: one.on_batch_end(...)`, `for handler in handlers: handler(state)`: of no training."""
    target = loop.target if isinstance(loop, ast.For) else None
    if not isinstance(target, ast.Name):
        return False
    for call in (node for node in ast.walk(loop) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute):
            named = call.func.attr.startswith("on_") or call.func.attr == "step"
            subject = call.func.value if named else None
        else:
            subject = call.args[0] if callee(call) == "getattr" and call.args else call.func
        if isinstance(subject, ast.Name) and subject.id == target.id:
            return True
    return False


def _is_over_at_once(one: dict[str, Any], loops: int) -> bool:
    """Whether the numbers of a schedule count epochs, while its steps count batches."""
    batches = one["passes"][0][0] if one["passes"] and one["count"] >= 2 else None
    if batches is not None and one["steps"] <= batches:
        return False
    nested = loops >= 2
    if one["scheduler"] in _FALLING:
        if one["milestones"] and one["numbers"].get("gamma", 1) <= 0.5:
            # All changes within the first epoch of several: nobody plans that.
            if batches is not None:
                return bool(max(one["milestones"]) <= batches)
            return nested and bool(max(one["milestones"]) <= 0.15 * one["calls"])
        if batches is not None and one["passes"][0][1] < _TINY * one["start"]:
            return True
        # At least half of all steps with next to no learning rate left.
        tiny = sum(rate < _TINY * one["start"] for rate in one["rates"])
        return one["calls"] >= 40 and tiny >= 0.5 * len(one["rates"]) and (nested or batches is not None)
    if one["scheduler"] == "CosineAnnealingLR":
        period = one["numbers"].get("T_max", 0)
        # Down and up again, more than once in each epoch, by a schedule that is meant to go down once.
        if batches is not None:
            return bool(period) and 4 * period <= batches
        return bool(period) and nested and 8 * period <= one["calls"]
    return False


def _length_of(one: dict[str, Any]) -> int:
    numbers = one["numbers"]
    return int(numbers.get("total_steps") or numbers.get("T_max") or 0)


def _is_hardly_begun(one: dict[str, Any]) -> bool:
    """Whether a schedule's length is the number of all batches, while its steps count epochs."""
    total, between = _length_of(one), one["between"]
    if total <= 0 or between < 5 or one["calls"] < 2 or total < 5 * one["calls"]:
        return False
    if one["scheduler"] == "OneCycleLR":
        return bool(total % between == 0)
    return bool(one["scheduler"] == "CosineAnnealingLR" and abs(total - between * one["calls"]) <= between)


def _counts_batches(code: Code, kind: str) -> bool:
    """Whether the line that makes the scheduler reckons with batches: a product, a length, `steps_per_epoch`."""
    for spot in spots(code):
        for call in calls_in(spot.node, kind):
            given = [*call.args, *(one.value for one in call.keywords)]
            if any(one.arg == "steps_per_epoch" for one in call.keywords):
                return True
            for node in (inner for value in given for inner in ast.walk(value)):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
                    return True
                if isinstance(node, ast.Call) and callee(node) == "len":
                    return True
                if isinstance(node, ast.Name) and "step" in node.id.lower():
                    return True
    return False


def _for_each_epoch(spot: Spot | None) -> tuple[Edit, ...]:
    """The step of the scheduler behind the loop over batches instead of in it: the later line first."""
    if spot is None or not spot.alone or not spot.loops or "\n" in spot.text:
        return ()
    if len(spot.loops) < 2 and spot.function is None:
        return ()  # there is one loop only: where an epoch ends is not known
    loop = spot.of(spot.loops[0])
    if loop is None or not loop.alone:
        return ()
    return (loop.after(spot.text), spot.without())


def _for_each_batch(spot: Spot | None, step: Spot | None) -> tuple[Edit, ...]:
    """The step of the scheduler directly behind that of the optimizer: the later line first."""
    if spot is None or step is None or not spot.alone or not step.alone or "\n" in spot.text:
        return ()
    if spot.unit is not step.unit or spot.function is not step.function or spot.node.lineno <= step.node.lineno:
        return ()
    return (spot.without(), step.after(spot.text))


BROKEN = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(640, 8), torch.randint(3, (640,)))
loader = DataLoader(data, batch_size=16, shuffle=True)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.1)
for epoch in range(3):
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
"""
_STEP = "StepLR(optimizer, step_size=4, gamma=0.1)"

rule = Rule(
    code="L13",
    name="scheduler-at-the-wrong-pace",
    voice="alarm",
    stage="optimizer",
    question="Is the scheduler stepped as often as its numbers say?",
    needs=("schedules",),
    find=find,
    text=Text(
        what="The scheduler counts in other units than it is stepped in: epochs are not batches.",
        why="Stepped too often, the learning rate is gone at once; stepped too rarely, it hardly changes.",
        do="Step it where its numbers count: after each epoch for StepLR, after each batch for OneCycleLR.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("        scheduler.step()", "    scheduler.step()"),
    lookalikes={
        "one cycle, stepped for each batch": BROKEN.replace(
            _STEP, "OneCycleLR(optimizer, max_lr=0.1, total_steps=120)"
        ),
        "a cosine over all batches": BROKEN.replace(_STEP, "CosineAnnealingLR(optimizer, T_max=120)"),
        "warm-up over the first batches": BROKEN.replace(
            _STEP, "LinearLR(optimizer, start_factor=0.1, total_iters=20)"
        ),
        "a slow decay for each batch": BROKEN.replace(_STEP, "ExponentialLR(optimizer, gamma=0.98)"),
        "a cosine over epochs": BROKEN.replace(_STEP, "CosineAnnealingLR(optimizer, T_max=40)").replace(
            "        scheduler.step()", "    scheduler.step()"
        ),
    },
    explains=("L15", "M25"),
)
