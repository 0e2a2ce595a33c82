"""L22 loss-sign: the loss is made larger instead of smaller."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, calls_in, dotted, functions_of, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_LOG_SUMS = ("logsumexp", "logcumsumexp")


def find(run: Run) -> Iterator[Finding]:
    """A known loss under an odd number of minus signs, that goes ever further below zero; one optimizer only."""
    yield from _uphill(run)
    one = newest(run, "loss_sign")
    if not one:
        yield from _likelihood(run)
        return
    if (one["sign"] < 0) == one["maximize"] or one["optimizers"] != 1 or one["count"] < 15:
        return
    first, last = one["first"], one["last"]
    if first is None or last is None:
        return
    if one["maximize"] and last < first + 0.2 * abs(first):
        return
    if not one["maximize"] and (last >= 0 or last > first - 0.2 * abs(first)):
        return
    backward = Place.from_json(one["place"])
    code = Code.of(run)
    edits, line = _turned(code, backward)
    if one["maximize"] and one["sign"] > 0:
        edits, line = (), Place.from_json((newest(run, "progress") or {}).get("made")) or line
    yield Finding(
        evidence=_(
            "{loss} goes backward with the wrong sign: its value went from {first:.3g} to {last:.3g}, "
            "so the model gets worse with each step.",
            loss=one["loss"],
            first=first,
            last=last,
        ),
        step=15,
        place=line or backward,
        places=(backward,) if backward is not None else (),
        edits=edits,
    )


def _uphill(run: Run) -> Iterator[Finding]:
    """Weights that are changed by hand, each time along their gradients, while a known loss grows."""
    hand, one = newest(run, "order_by_hand") or {}, newest(run, "loss_sign") or {}
    first, last = one.get("first"), one.get("last")
    if hand.get("up", 0) < 10 or hand["down"] or one.get("sign") != 1 or first is None or last is None:
        return
    if last < first + 0.2 * abs(first):
        return
    code = Code.of(run)
    lines = [spot for spot in spots(code) if _adds_gradient(spot.node)]
    yield Finding(
        evidence=_(
            "{count} changes of the weights went along their gradients: {loss} rose from {first:.3g} to {last:.3g}.",
            count=hand["up"],
            loss=one["loss"],
            first=first,
            last=last,
        ),
        step=15,
        place=lines[0].place if lines else Place.from_json(hand["backward"]),
    )


def _adds_gradient(node: ast.stmt) -> bool:
    """Whether a statement adds something with `.grad` in it to a weight."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        value: ast.AST = node.value
    elif isinstance(node, ast.Expr | ast.Assign):
        value = node.value
    else:
        return False
    return any(isinstance(one, ast.Attribute) and one.attr == "grad" for one in ast.walk(value))


def _likelihood(run: Run) -> Iterator[Finding]:
    """A mean of log_prob(...) that goes backward as it is, and goes below where it began: it is made smaller."""
    one = newest(run, "progress") or {}
    first, last = one.get("first"), one.get("last")
    if (
        first is None
        or last is None
        or one["steps"] < 15
        or one["numbers"].get("maximize")
        or last > first - abs(first)
    ):
        return
    code, backward = Code.of(run), Place.from_json(one["backward"])
    spot = spot_of(code, backward)
    if spot is None:
        return
    names = {
        dotted(call.func.value) for call in calls_in(spot.node, "backward") if isinstance(call.func, ast.Attribute)
    }
    made = [
        other
        for other in spots(code)
        if other.unit is spot.unit and other.function is spot.function and assigned_at(other) in names
    ]
    if len(made) != 1 or not isinstance(made[0].node, ast.Assign):
        return
    value, sign = made[0].node.value, "= "
    for _deep in range(4):  # a function or an object of the program's own may give it
        if _is_log_prob(value, _sums_of(made[0] if made else spot)):
            break
        functions = functions_of(code, value) if isinstance(value, ast.Call) else []
        given = [other for other in spots(code) if isinstance(other.node, ast.Return) and other.function in functions]
        if len(given) != 1 or not isinstance(given[0].node, ast.Return) or given[0].node.value is None:
            return
        made, value, sign = given, given[0].node.value, "return "
    else:
        return
    text = ast.get_source_segment(made[0].unit.text, value) or ""
    edit = made[0].replaced(f"{sign}{text}", f"{sign}-{text}")
    yield Finding(
        evidence=_(
            "A log-likelihood goes backward without a minus: it went from {first:.3g} to {last:.3g}, "
            "so what was seen becomes ever less likely.",
            first=first,
            last=last,
        ),
        step=15,
        place=made[0].place,
        places=(backward,) if backward is not None else (),
        edits=(edit,) if edit is not None else (),
    )


def _sums_of(spot: Spot) -> dict[str, str | None]:
    """Names in a function that stand for the logarithm of a sum of exponentials, and of what it is one."""
    nodes = ast.walk(spot.function) if spot.function is not None else ast.walk(spot.unit.tree)
    return {
        target.id: _summed(node.value)
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and callee(node.value) in _LOG_SUMS
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _summed(call: ast.Call) -> str | None:
    """What a call of `logsumexp` is given: its first argument, or what it is a method of."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return dotted(call.args[0]) if owner is None or dotted(owner) == "torch" else dotted(owner)


def _is_log_prob(node: ast.expr, sums: dict[str, str | None]) -> bool:
    """`d.log_prob(y).mean()`, and nothing that it is multiplied with: an advantage would decide the sign.

    Or `(score - score.logsumexp(1)).mean()`, as the likelihood of a choice, of an order or of who relapses first.
    """
    while isinstance(node, ast.Subscript | ast.BinOp):
        if isinstance(node, ast.BinOp):
            right = node.right
            inside = _summed(right) if isinstance(right, ast.Call) and callee(right) in _LOG_SUMS else None
            inside = inside or sums.get(dotted(right) or "")
            return isinstance(node.op, ast.Sub) and inside is not None and inside == dotted(node.left)
        node = node.value
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "log_prob":
            return True
        if node.func.attr not in ("mean", "sum"):
            return False
        node = node.func.value
        if isinstance(node, ast.Subscript | ast.BinOp):
            return _is_log_prob(node, sums)
    return False


def _turned(code: Code, backward: Place | None) -> tuple[tuple[Edit, ...], Place | None]:
    """The statement that computes the loss, without its minus."""
    spot = spot_of(code, backward)
    if spot is None:
        return (), None
    names = {
        dotted(call.func.value) for call in calls_in(spot.node, "backward") if isinstance(call.func, ast.Attribute)
    }
    above = [
        other
        for other in spots(code)
        if other.unit is spot.unit and assigned_at(other) in names and other.function is spot.function
    ]
    called = {callee(call) for one in [spot, *above] for call in calls_in(one.node)}
    inside = [
        other
        for other in spots(code)
        if isinstance(other.node, ast.Return) and getattr(other.function, "name", "") in called
    ]
    for one in [spot, *reversed(above), *inside]:
        minus = [node for node in ast.walk(one.node) if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)]
        minus = [node for node in minus if not isinstance(node.operand, ast.Constant)]
        if len(minus) == 1:
            node = minus[0]
            line = one.unit.text.split("\n")[node.lineno - 1].encode()
            new = (line[: node.col_offset] + line[node.col_offset + 1 :]).decode()
            return (Edit(node.lineno, 1, (new,), one.unit.file),), one.place
    return (), above[-1].place if above else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    loss = -nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L22",
    name="loss-sign",
    voice="alarm",
    stage="graph",
    question="Is the loss made smaller?",
    needs=("loss_sign", "order_by_hand", "progress"),
    find=find,
    text=Text(
        what="The loss has the wrong sign, so training makes the model worse.",
        why="An optimizer makes smaller what goes backward. Of minus the loss, that makes the loss itself larger.",
        do="Take the minus away; or, where you wrote the mean of log-probabilities yourself, put one there.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("-nn.functional", "nn.functional"),
    lookalikes={
        "maximize": BROKEN.replace("lr=0.1", "lr=0.1, maximize=True"),
        "the square of an error, by hand": BROKEN.replace(
            "-nn.functional.cross_entropy(model(x), y)", "((model(x) - x[:, :3]) ** 2).mean()"
        ),
        "minus the log-probability": BROKEN.replace(
            "-nn.functional.cross_entropy(model(x), y)", "-model(x).log_softmax(1)[torch.arange(256), y].mean()"
        ),
        "an input is made worse on purpose": BROKEN.replace(
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n",
            "shift = torch.zeros(8, requires_grad=True)\noptimizer = torch.optim.SGD([shift], lr=0.1)\n",
        ).replace("model(x)", "model(x + shift)"),
    },
    explains=("L14", "L15", "L17", "L18", "L19", "E11", "E12", "D01"),
)
