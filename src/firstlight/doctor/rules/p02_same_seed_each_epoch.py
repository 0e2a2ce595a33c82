"""P02 same-seed-each-epoch: the same random numbers come again in each epoch."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, dotted, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_ORDERS = ("permutation", "permuted", "shuffle", "randperm", "sample", "choice", "DataLoader", "RandomSampler")
_AGAIN = 5  # batches of eight rows and more: where they are drawn, even one does not come again
_TIMES = 2  # after the first: three epochs that begin with the same numbers


def find(run: Run) -> Iterator[Finding]:
    """A seed that was set again while one training went on, so that its next epoch began with the same numbers."""
    again = [one for one in (newest(run, "seeds") or {"again": []})["again"] if one["times"] >= _TIMES]
    if not again:
        yield from _own_numbers(run)
    seen: set[int] = set()
    for one in again:
        if one["step"] in seen:
            continue  # a function that sets the seeds of all libraries
        seen.add(one["step"])
        inner = Place.from_json(one["place"])
        place = _asked(Code.of(run), inner)
        yield Finding(
            evidence=_(
                "Seed {seed} was set {times} times in one training, which then went on with the same random numbers.",
                seed=one["seed"],
                times=one["times"] + 1,
            ),
            step=one["step"],
            place=place,
            places=(inner,) if inner is not None and inner != place else (),
            edits=_moved(Code.of(run), place),
            check="print(torch.get_rng_state().sum())  # at the start of each epoch: the same number each time",
        )


def _asked(code: Code, place: Place | None) -> Place | None:
    """The line in the loop that calls the function in which the seed is set, where there is such a function."""
    spot = spot_of(code, place)
    if spot is None or spot.loops or not isinstance(spot.function, ast.FunctionDef):
        return place
    if any(isinstance(one, ast.For | ast.While) for one in ast.walk(spot.function)):
        return place  # it is no function for seeds: it goes through the batches itself
    found = [
        call
        for call, _node, _unit in code.calls(spot.function.name)
        if (at := spot_of(code, call)) is not None and _each_epoch(code, at, ast.Constant(0))
    ]
    return found[0] if len(found) == 1 else place


def _own_numbers(run: Run) -> Iterator[Finding]:
    """A generator of its own, made anew with one seed in each epoch, and batches that came in the same order again."""
    found = [
        one for one in newest(run, "inputs") or [] if one["print_size"] >= 8 and one.get("print_again", 0) >= _AGAIN
    ]
    if not found:
        return
    times = max(one["print_times"] for one in found)
    code = Code.of(run)
    for place, node, unit in code.calls("RandomState", "default_rng", "Random", "manual_seed"):
        spot = spot_of(code, place)
        if spot is None or not node.args or ast.unparse(node.func) == "torch.manual_seed":
            continue
        if not _each_epoch(code, spot, node.args[0]):
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) and callee(node) == "manual_seed" else None
        known = {assigned_at(spot), dotted(owner) if owner is not None else None} - {None}
        if any(
            callee(one) in _ORDERS
            and (one is not node and any(inside is node or dotted(inside) in known for inside in ast.walk(one)))
            for one in unit.nodes
            if isinstance(one, ast.Call)
        ):
            yield Finding(
                evidence=_(
                    "Seed {seed} was set {times} times in one training, which then went on with the same random "
                    "numbers.",
                    seed=ast.unparse(node.args[0]),
                    times=times,
                ),
                step=found[0]["print_step"],
                place=place,
                edits=_moved(code, place),
            )
            return


def _each_epoch(code: Code, spot: Spot, seed: ast.expr) -> bool:
    """Whether a line runs again in each turn of a loop, there or in a function that is called in one, with one seed."""
    names = {one.id for one in ast.walk(seed) if isinstance(one, ast.Name)}
    if any(names & {one.id for one in ast.walk(loop) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
           for loop in spot.loops):  # fmt: skip
        return False
    if spot.loops:
        return True
    function = spot.function
    if not isinstance(function, ast.FunctionDef) or names & {one.arg for one in ast.walk(function.args)
                                                              if isinstance(one, ast.arg)}:  # fmt: skip
        return False
    return any(
        isinstance(loop, ast.For | ast.While)
        and any(isinstance(one, ast.Call) and callee(one) == function.name for one in ast.walk(loop))
        for kind in (ast.For, ast.While)
        for _place, loop, _unit in code.walk(kind)
    )


def _moved(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The line once, in front of the loop."""
    spot = spot_of(code, place)
    loop = spot.of(spot.loops[0]) if spot is not None and spot.loops and spot.alone else None
    if spot is None or loop is None or not loop.alone or "\n" in spot.text:
        return ()
    return (loop.before(spot.text), spot.without())


BROKEN = CLASSES.replace("    model.train()\n", "    torch.manual_seed(0)\n    model.train()\n")

rule = Rule(
    code="P02",
    name="same-seed-each-epoch",
    voice="alarm",
    stage="order",
    question="Does each epoch draw random numbers of its own?",
    needs=("seeds", "inputs"),
    find=find,
    text=Text(
        what="The seed is set again while the model trains, so each epoch draws the same random numbers.",
        why="Then batches come in the same order each time, and dropout hides the same units again.",
        do="Set the seed once, before the first epoch.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "another seed for each epoch": BROKEN.replace("manual_seed(0)\n    model", "manual_seed(epoch)\n    model"),
        "a new training for each setting": """\
import torch
from torch import nn

x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
for rate in (0.05, 0.1, 0.2, 0.3):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for rows in torch.randperm(256).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
""",
        "the numbers are put back": BROKEN.replace(
            "    torch.manual_seed(0)\n    model.train()\n", "    model.train()\n"
        )
        .replace("model.eval()", "model.eval()\n")
        .replace(
            "        optimizer.step()\n",
            "        optimizer.step()\n"
            "    with torch.random.fork_rng():\n        torch.manual_seed(0)\n        noise = torch.randn(4, 8)\n",
        ),
    },
)
