"""L08 losses-kept-with-graphs: losses of earlier steps are kept as tensors, with all that they were made of."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, calls_in, dotted, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_LETTING_GO = ("item", "detach", "float", "tolist", "numpy")


def find(run: Run) -> Iterator[Finding]:
    """Graphs of losses that still live many steps after their backward passes."""
    passes = newest(run, "passes") or {}
    if passes.get("kept"):
        code = Code.of(run)
        backward = Place.from_json(passes["kept_place"])
        keeping, name = _keeping(code, spot_of(code, backward))
        yield Finding(
            evidence=_("The graphs of {count} earlier losses are still alive.", count=passes["kept"]),
            step=passes["kept_step"],
            place=keeping.place if keeping is not None else backward,
            places=(backward,) if backward is not None else (),
            edits=_letting_go(keeping, name),
            check="print(total.grad_fn)  # of what you add up; None means: no graph is kept",
        )
    elif passes.get("used_outputs"):
        code = Code.of(run)
        forward = Place.from_json(passes["forward"])
        keeping, name = _keeping_outputs(code, spot_of(code, forward))
        yield Finding(
            evidence=_(
                "The outputs of {count} earlier steps are still alive, with graphs that went backward long ago.",
                count=passes["used_outputs"],
            ),
            step=passes["used_outputs_step"],
            place=keeping.place if keeping is not None else forward,
            places=(forward,) if forward is not None else (),
            edits=_letting_go(keeping, name),
            check="print(kept[-1].grad_fn)  # of what you collect; None means: no graph is kept",
        )
    elif passes.get("kept_outputs"):
        yield Finding(
            evidence=_(
                "The graphs of {count} forward passes are still alive, and nothing went backward through them.",
                count=passes["kept_outputs"],
            ),
            step=passes["kept_outputs_step"],
            place=Place.from_json(passes["forward"]),
            voice="question",
        )


def _keeping(code: Code, backward: Spot | None) -> tuple[Spot | None, str | None]:
    """The statement that adds the loss to something or puts it into a list, and the loss's name."""
    names: set[str | None] = {"loss"}
    if backward is not None:
        calls = [one.func for one in calls_in(backward.node, "backward") if isinstance(one.func, ast.Attribute)]
        names = {dotted(one.value) for one in calls} or names
    for only_named in (True, False):
        for spot in spots(code):
            value = _kept_value(spot.node)
            if value is None:
                continue
            held = {dotted(one) for one in ast.walk(value) if isinstance(one, ast.Name | ast.Attribute)}
            if any(callee(one) in _LETTING_GO for one in calls_in(value)):
                continue
            found = sorted(name for name in held if name and (name in names if only_named else "loss" in name.lower()))
            if found:
                return spot, found[0]
    return None, None


def _keeping_outputs(code: Code, forward: Spot | None) -> tuple[Spot | None, str | None]:
    """The statement that puts the output, or what is made of it, into something; and the name of what it keeps."""
    if forward is None:
        return None, None
    node = forward.node
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    near = [one for one in spots(code) if one.unit is forward.unit and one.function is forward.function]
    found: list[tuple[Spot, str]] = []
    for spot in near:
        value = _kept_value(spot.node)
        if value is not None and spot.node.lineno >= node.lineno and isinstance(spot.node, ast.Expr):
            held = {dotted(one) for one in ast.walk(value) if isinstance(one, ast.Name | ast.Attribute)} & names
            if held and not any(callee(one) in _LETTING_GO for one in calls_in(value)):
                found.append((spot, sorted(name for name in held if name)[0]))
    return found[0] if len(found) == 1 else (None, None)


def _kept_value(node: ast.stmt) -> ast.AST | None:
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return node.value
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and callee(node.value) in ("append", "update"):
        return node.value.args[0] if node.value.args else None
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
        target = dotted(node.targets[0])
        sides = (node.value.left, node.value.right)
        if target is not None and target in {dotted(one) for one in sides}:
            return next((one for one in sides if dotted(one) != target), None)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return node.value
    return None


def _letting_go(spot: Spot | None, name: str | None) -> tuple[Edit, ...]:
    """The loss without its graph: `detach()` stays a tensor, so whatever is done with the sum later still works."""
    if spot is None or name is None or not spot.alone:
        return ()
    value = _kept_value(spot.node)
    uses = [one for one in ast.walk(value) if dotted(one) == name] if value is not None else []
    if len(uses) != 1 or not isinstance(uses[0], ast.expr) or uses[0].lineno != uses[0].end_lineno:
        return ()
    line = spot.unit.text.split("\n")[uses[0].lineno - 1].encode()
    end = uses[0].end_col_offset or 0
    new = (line[:end] + b".detach()" + line[end:]).decode()
    return (Edit(uses[0].lineno, 1, (new,), spot.unit.file),)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
total = 0
for step in range(40):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    total += loss
print(total / 40)
"""

rule = Rule(
    code="L08",
    name="losses-kept-with-graphs",
    voice="alarm",
    stage="resources",
    question="Are the graphs of earlier steps let go?",
    needs=("passes",),
    find=find,
    text=Text(
        what="Losses of earlier steps are kept as tensors, so their graphs are never freed.",
        why="A loss holds on to everything that it was computed from. Memory grows with every step.",
        do="Keep the number: total += loss.item(), or loss.detach() where it is to stay a tensor.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("total += loss", "total += loss.item()"),
    lookalikes={
        "losses of several batches go backward together": BROKEN.replace(
            "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n    total += loss\n",
            "    total = total + loss\n    if step % 10 == 9:\n"
            "        optimizer.zero_grad()\n        total.backward()\n"
            "        optimizer.step()\n        total = 0\n",
        ),
        "the best loss is kept": BROKEN.replace("total += loss\n", "total = min(total, loss) if step else loss\n"),
        "a list of detached losses": BROKEN.replace("total = 0", "kept = []")
        .replace("total += loss", "kept.append(loss.detach())")
        .replace("total / 40", "torch.stack(kept).mean()"),
    },
    explains=("R06",),
)
