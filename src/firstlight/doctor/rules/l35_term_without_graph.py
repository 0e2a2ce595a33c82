"""L35 term-without-graph: something is added to the loss that nothing can learn from."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, calls_in, dotted, spot_of, spots
from firstlight.doctor.loops import reads, targets
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_CUTS = ("item", "detach", "tolist", "numpy")


def find(run: Run) -> Iterator[Finding]:
    """A sum that goes backward with a term that has no graph, and a line that cuts one off."""
    one = newest(run, "constant_terms")
    if not one:
        return
    code, backward = Code.of(run), Place.from_json(one["place"])
    line = _cut(code, spot_of(code, backward))
    if line is None:
        return  # a number that was added, or a sum that began with zero
    yield Finding(
        evidence=_(
            "In {count} of the losses that were looked at, one term of the sum had no graph.",
            count=one["count"],
        ),
        step=1,
        place=line,
        places=(backward,) if backward is not None else (),
    )


def _cut(code: Code, backward: Spot | None) -> Place | None:
    """The line that computes a term of the loss and leaves autograd: in the sum, or in what it is made of."""
    if backward is None:
        return None
    calls = [one.func for one in calls_in(backward.node, "backward") if isinstance(one.func, ast.Attribute)]
    names = {name for one in calls if (name := dotted(one.value)) is not None}
    for _deep in range(3):
        more: set[str] = set()
        for spot in spots(code):
            given = assigned_at(spot) or (dotted(spot.node.target) if isinstance(spot.node, ast.AugAssign) else None)
            if given in names and isinstance(spot.node, ast.Assign | ast.AnnAssign | ast.AugAssign) and spot.node.value:
                for term in _terms(spot.node.value):
                    if _leaves(term):
                        return spot.place
                    more |= {name for node in ast.walk(term) if (name := dotted(node)) is not None}
                    functions = {callee(call) for call in ast.walk(term) if isinstance(call, ast.Call)}
                    found = _in_function(code, functions)
                    if found is not None:
                        return found
        names = more - {"self", "model", "torch"}
    return None


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _leaves(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr in (*_CUTS, "data") for one in ast.walk(node))


def _in_function(code: Code, names: set[str]) -> Place | None:
    """The line that returns something cut off, in a function of the learner's, or makes what is returned of it."""
    inside = [
        spot for spot in spots(code) if isinstance(spot.function, ast.FunctionDef) and spot.function.name in names
    ]
    for spot in inside:
        if isinstance(spot.node, ast.Return) and spot.node.value is not None and _leaves(spot.node.value):
            return spot.place
    for spot in inside:
        if isinstance(spot.node, ast.Assign) and _leaves(spot.node.value):
            made = targets(spot.node)
            if any(made & reads(one.node) for one in inside if isinstance(one.node, ast.Return)):
                return spot.place
    return None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    size = model.weight.detach().abs().sum()
    loss = nn.functional.cross_entropy(model(x), y) + 0.01 * size
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L35",
    name="term-without-graph",
    voice="note",
    stage="review",
    question="Can each term of the loss be learned from?",
    needs=("constant_terms",),
    find=find,
    text=Text(
        what="A term of the loss has no graph, so it changes the number but not the training.",
        why="detach(), item() and .data cut a value off from the weights that it was computed from.",
        do="Leave the cut away where the term is meant to be learned; else do not add it to the loss.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".detach()", ""),
    lookalikes={"a number is added": BROKEN.replace("0.01 * size", "0.01")},
)
