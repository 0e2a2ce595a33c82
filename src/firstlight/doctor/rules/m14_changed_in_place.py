"""M14 changed-in-place: a value that the backward pass still needs was overwritten."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.failing import Failure, came_back, error_of, failure_of, line_of
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import instead
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip
# What autograd calls the forms of a weight that layers hold for their backward pass.
_OF_WEIGHTS = ("AsStrided", "T", "TBackward", "Transpose", "Permute", "AccumulateGrad", "View", "UnsafeView")


def find(run: Run) -> Iterator[Finding]:
    """An error of autograd about a change in place, at the line that changes."""
    failure = failure_of(
        run, r"modified by an inplace", r"in-place operation", r"modified inplace", types=("RuntimeError",)
    )
    if failure is None:
        yield from _unseen(run)
        return
    if came_back(run):  # a state of an earlier batch: M24
        return
    code, at = Code.of(run), line_of(failure)
    if "modified by an inplace" not in failure["message"]:
        detail = _("Here a tensor is changed in place that autograd must keep as it is, such as a weight.")
        change = _(
            "To set weights, work under with torch.no_grad(). To compute with them, make a new tensor: x = x + 1, "
            "not x += 1."
        )
        yield _finding(failure, at, (), detail, change, ())
        return
    shape, name = _said(failure["message"])
    seen = failure.get("inplace") or {"lines": [], "weights": []}
    named = not name or name.removesuffix("Backward0") in {one.removesuffix("Backward") for one in _OF_WEIGHTS}
    if failure["steps"] and named and shape and (shape in seen["weights"] or shape[::-1] in seen["weights"]):
        detail = _("Between the forward pass and this backward pass, optimizer.step() changed the weights in place.")
        change = _("Call backward() of each loss before the step that changes its weights, or compute the loss anew.")
        yield _finding(failure, at, (), detail, change, ())
        return
    found = _changing(run, code, seen["lines"], shape)
    place = found[0] if found is not None else at
    detail = _("A value that the backward pass needs was overwritten after it was used.")
    change = _("Make a new tensor instead: x = x + y, not x += y; relu(x), not relu_(x); inplace=False in layers.")
    edits = _anew(*found[1:]) if found is not None else ()
    yield _finding(failure, place, (at,) if at is not None and at != place else (), detail, change, edits)


def _unseen(run: Run) -> Iterator[Finding]:
    """A change in the forward pass that autograd was kept from seeing: nothing fails, and gradients are of old values.

    It may be meant: a rounding that gradients are to pass through is written like this, too.
    """
    for one in newest(run, "written_over") or []:
        place = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "In the forward pass, values that layers computed were written over through {how}, where autograd does "
                "not see it: gradients are those of the values before.",
                how=one["how"],
            ),
            step=one["step"],
            place=place,
            values={
                "detail": _("Values of the forward pass are changed behind the back of autograd."),
                "change": _(
                    "Make a new tensor: x = x.masked_fill(mask, 0), torch.where(mask, 0, x) or x * keep. If it is "
                    "meant so, write # doctor: intended on the line."
                ),
            },
            voice="question",
        )
        return


def _finding(
    failure: Failure, place: Place | None, places: tuple[Place, ...], detail: str, change: str, edits: tuple[Edit, ...]
) -> Finding:
    return Finding(
        evidence=error_of(failure),
        step=failure["step"],
        place=place,
        places=places,
        values={"detail": detail, "change": change},
        edits=edits,
    )


def _said(message: str) -> tuple[list[int], str]:
    """Shape and maker of what was overwritten, as autograd names them."""
    sides = re.search(r"Tensor \[([\d, ]*)\]", message)
    maker = re.search(r"output \d+ of (\w+)", message)
    shape = [int(side) for side in re.findall(r"\d+", sides[1])] if sides else []
    return shape, maker[1] if maker else ""


def _changing(
    run: Run, code: Code, lines: list[dict[str, Any]], shape: list[int]
) -> tuple[Place, Unit, ast.AST] | None:
    """The line that overwrites: one that ran, of this shape; else the only one in what the model computes."""
    ran = {(row["place"]["file"], row["place"]["line"]): row for row in lines}
    all_changes = [(unit.place(node), unit, node) for unit in code.units for node in _changes(unit.tree)]
    there = [one for one in all_changes if (one[0].file, one[0].line) in ran]
    of_shape = [one for one in there if shape in ran[one[0].file, one[0].line]["shapes"]]
    for candidates in (of_shape, there):
        if candidates:
            return candidates[0]
    classes = {name for model in newest(run, "graph_models") or [] for _file, _line, name in model["forwards"]}
    inside = {
        (unit.file, inner.lineno)
        for _place, node, unit in code.walk(ast.ClassDef)
        if node.name in classes
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt)
    }
    within = [one for one in all_changes if (one[0].file, one[0].line) in inside]
    tensors = [one for one in within or all_changes if not _counts(one[2])]
    return tensors[0] if len(tensors) == 1 else None


def _changes(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements and calls that change a tensor in place, if it is one."""
    for node in ast.walk(tree):
        into = isinstance(node, ast.Assign) and any(isinstance(one, ast.Subscript) for one in node.targets)
        if into or isinstance(node, ast.AugAssign):
            yield node
        elif isinstance(node, ast.Call):
            name = callee(node)
            method = isinstance(node.func, ast.Attribute) and name.endswith("_") and not name.endswith("__")
            if (method and name not in ("requires_grad_", "clip_grad_norm_", "clip_grad_value_")) or _inplace(node):
                yield node


def _inplace(node: ast.Call) -> bool:
    return any(one.arg == "inplace" and getattr(one.value, "value", None) is True for one in node.keywords)


def _counts(node: ast.AST) -> bool:
    """Whether it only adds up numbers, as `total += loss.item()` or `count += 1` do."""
    if not isinstance(node, ast.AugAssign):
        return False
    value = node.value
    return isinstance(value, ast.Constant) or (
        isinstance(value, ast.Call) and callee(value) in ("item", "len", "float", "int")
    )


def _anew(unit: Unit, node: ast.AST) -> tuple[Edit, ...]:
    """The same with a new tensor; none where one statement cannot say it."""
    if isinstance(node, ast.AugAssign) and type(node.op) in _SIGNS and dotted(node.target):
        value = ast.get_source_segment(unit.text, node.value)
        plain = isinstance(node.value, ast.Name | ast.Call | ast.Attribute | ast.Constant | ast.Subscript)
        right = value if plain else f"({value})"
        return instead(unit, node, f"{dotted(node.target)} = {dotted(node.target)} {_SIGNS[type(node.op)]} {right}")  # type: ignore[arg-type]
    if isinstance(node, ast.Call) and _inplace(node):
        flag = next(one.value for one in node.keywords if one.arg == "inplace")
        return instead(unit, flag, "False")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        text = ast.get_source_segment(unit.text, node) or ""
        owner = ast.get_source_segment(unit.text, node.func.value) or ""
        new = f"{owner}.{node.func.attr.rstrip('_')}{text[len(owner) + 1 + len(node.func.attr) :]}"
        alone = any(isinstance(one, ast.Expr) and one.value is node for one in unit.nodes)
        if alone and dotted(node.func.value):
            return instead(unit, node, f"{owner} = {new}")
        return () if alone else instead(unit, node, new)
    return ()


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 8), torch.randint(3, (64,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        hidden = torch.sigmoid(self.fc1(x))
        hidden *= 2
        return self.fc2(hidden)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("# raises\n", "").replace("hidden *= 2", "hidden = hidden * 2")

rule = Rule(
    code="M14",
    name="changed-in-place",
    voice="alarm",
    stage="graph",
    question="Is what the backward pass needs left as it is?",
    find=find,
    text=Text(
        what="{detail}",
        why="To compute gradients, autograd keeps values of the forward pass. What +=, x[i] = ... or relu_() changes "
        "is not kept: it is written over.",
        do="{change}",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "in place where nothing needs the old value": FIXED.replace(
            "hidden = hidden * 2", "hidden = hidden + 1\n        hidden += 1"
        ),
        "weights that are set under no_grad": FIXED.replace(
            "for step", "with torch.no_grad():\n    model.fc1.weight *= 0.5\nfor step"
        ),
        "weights that are kept small by .data in the forward pass": FIXED.replace(
            "hidden = hidden * 2", "self.fc2.weight.data.clamp_(-1, 1)"
        ),
        "a copy by .data that is changed": FIXED.replace(
            "hidden = hidden * 2", "shown = hidden.data.clone()\n        shown[:, 0] = 0"
        ),
        "inputs that are changed by .data": FIXED.replace(
            "        hidden = torch", "        x = x.clone()\n        x.data[:, 0] = 0\n        hidden = torch"
        ),
    },
    explains=("L03", "X01"),
)
