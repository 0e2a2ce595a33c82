"""L07 loss-cut-off: what goes backward was made anew from a number, and no weight hangs on it."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, calls_in, dotted, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.raised import loss_without_graph
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_MAKERS = ("tensor", "Tensor", "FloatTensor", "Variable", "as_tensor", "from_numpy", "scalar_tensor")


def find(run: Run) -> Iterator[Finding]:
    """Backward passes from leaves that are made anew each time, although a model was called."""
    yield from loss_without_graph(run)
    passes = newest(run, "passes") or {}
    if passes.get("leaves", 0) < 3:
        return
    rows = newest(run, "order_of_steps") or []
    if passes.get("formulas") and not any(one["steps"] >= 3 and not one["reached"] for one in rows):
        return  # of a tensor that is no weight: an input that is attacked, where no optimizer waits for gradients
    code = Code.of(run)
    backward = Place.from_json(passes["leaf_place"])
    wrapped = _wrapped(code, spot_of(code, backward))
    yield Finding(
        evidence=_(
            "In {count} of {backwards} backward passes the loss had no graph (grad_fn is None): "
            "it was made from a plain number or a detached tensor.",
            count=passes["leaves"],
            backwards=passes["backwards"],
        ),
        step=passes["leaves_step"],
        place=wrapped.place if wrapped is not None else backward,
        places=(backward,) if backward is not None else (),
        edits=_unwrapped(wrapped),
        check="print(loss.grad_fn)  # directly before loss.backward(); None means: cut off",
    )


def _wrapped(code: Code, backward: Spot | None) -> Spot | None:
    """The statement that makes a tensor of the loss, above its backward pass."""
    if backward is None:
        return None
    calls = [one.func for one in calls_in(backward.node, "backward") if isinstance(one.func, ast.Attribute)]
    names = {dotted(one.value) for one in calls}
    found = [
        spot
        for spot in spots(code)
        if spot.unit is backward.unit
        and spot.function is backward.function
        and spot.node.lineno < backward.node.lineno
        and assigned_at(spot) in names
    ]
    if not found:
        return None
    called = {callee(one) for one in calls_in(found[-1].node)}
    inside = [
        spot
        for spot in spots(code)
        if spot.function is not None
        and getattr(spot.function, "name", "") in called
        and not isinstance(spot.node, ast.FunctionDef)
        and "requires_grad" in ast.unparse(spot.node)
    ]
    return inside[0] if len(inside) == 1 else found[-1]


def _unwrapped(spot: Spot | None) -> tuple[Edit, ...]:
    """The same statement with the loss itself."""
    if spot is None or not spot.alone or not isinstance(spot.node, ast.Assign):
        return ()
    inner: ast.AST = spot.node.value
    changed = False
    while True:
        if isinstance(inner, ast.Call) and callee(inner) in _MAKERS and len(inner.args) == 1:
            inner, changed = inner.args[0], True
        elif isinstance(inner, ast.Call) and callee(inner) == "float" and len(inner.args) == 1:
            inner = inner.args[0]
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in (
            "item", "detach", "numpy", "cpu", "clone", "requires_grad_", "tolist"
        ):  # fmt: skip
            changed |= inner.func.attr in ("detach", "requires_grad_")
            inner = inner.func.value
        elif isinstance(inner, ast.Attribute) and inner.attr == "data":
            inner, changed = inner.value, True
        else:
            break
    if not changed or isinstance(inner, ast.Constant):
        return ()
    if dotted(inner) is not None and dotted(inner) == assigned_at(spot):
        return (spot.without(),)
    text = ast.get_source_segment(spot.unit.text, inner)
    if text is None or "\n" in spot.text:
        return ()
    new = f"{spot.indent}{assigned_at(spot)} = {text}"
    return (Edit(spot.node.lineno, 1, (new,), spot.unit.file),)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    loss = torch.tensor(loss.item(), requires_grad=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_WRAP = "    loss = torch.tensor(loss.item(), requires_grad=True)\n"

rule = Rule(
    code="L07",
    name="loss-cut-off",
    voice="alarm",
    stage="graph",
    question="Does the loss that goes backward still know how it was computed?",
    needs=("passes", "failure"),
    find=find,
    text=Text(
        what="The loss is cut off from the model before backward(), so no weight gets a gradient.",
        why="item(), detach() and torch.tensor() give a value without history. Its backward() ends where it begins.",
        do="Call backward() on the loss itself, as the loss function gave it.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(_WRAP, ""),
    lookalikes={
        "one number is trained": "import torch\n\nw = torch.tensor(3.0, requires_grad=True)\n"
        "optimizer = torch.optim.SGD([w], lr=0.1)\nfor step in range(20):\n    optimizer.zero_grad()\n"
        "    (w * w).backward()\n    optimizer.step()\n",
        "weights made anew by hand": "import torch\n\ntorch.manual_seed(0)\nx = torch.randn(64, 3)\ny = x.sum(1)\n"
        "w = torch.zeros(3, requires_grad=True)\nfor step in range(20):\n    loss = ((x @ w - y) ** 2).mean()\n"
        "    loss.backward()\n    w = (w - 0.1 * w.grad).detach().requires_grad_()\n",
    },
    explains=("L02", "L03", "L04", "L05", "L06", "L12", "L15", "L21", "M10", "M12", "M13", "M15", "M25", "D01", "D03"),
)
