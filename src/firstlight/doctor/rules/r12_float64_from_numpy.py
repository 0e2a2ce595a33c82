"""R12 float64-from-numpy: everything is computed with twice the digits, because NumPy's arrays came so."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.raised import number_type
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_FROM_NUMPY = ("from_numpy", "tensor", "as_tensor")


def find(run: Run) -> Iterator[Finding]:
    """A model and its inputs in float64, where the program never asks for that but to make the model fit the data."""
    yield from number_type(run)
    found = list((newest(run, "resources") or {"types": []})["types"])
    for name in (newest(run, "weights_by_hand") or {"double": []})["double"][:1]:
        found.append({"weights": "float64", "inputs": "float64", "model": name, "step": 0})
    for one in found:
        if one["weights"] != "float64" or one["inputs"] != "float64":
            continue
        code = Code.of(run)
        source = _source(code) or Place.from_json((newest(run, "resources") or {}).get("double"))
        labels = any(
            "entropy" in call["loss"] or call["loss"] == "nll_loss" for call in newest(run, "loss_calls") or []
        )
        by_hand = one["model"].startswith("(")
        if source is None or (_is_named(code) if by_hand else _is_wanted(code, labels=labels)):
            return
        yield Finding(
            evidence=_("The weights of {model} and its inputs are float64.", model=one["model"]),
            step=one["step"],
            place=source,
            places=tuple(place for place, _node, _unit in code.calls("double")),
            check="print(next(model.parameters()).dtype)",
        )
        return


def _source(code: Code) -> Place | None:
    """Where an array becomes a tensor, and nothing is said of its type."""
    if not any(
        "numpy" in ast.unparse(node) for kind in (ast.Import, ast.ImportFrom) for _p, node, _u in code.walk(kind)
    ):
        return None
    calls = [
        (place, node) for place, node, _unit in code.calls(*_FROM_NUMPY) if len(node.args) + len(node.keywords) == 1
    ]
    calls.sort(key=lambda pair: "from_numpy" not in ast.unparse(pair[1].func))
    return calls[0][0] if calls else None


def _is_named(code: Code) -> bool:
    """Whether the type is spoken of at all: weights that are tensors have no cast that only makes them fit."""
    texts = {str(node.value) for _place, node, _unit in code.walk(ast.Constant) if isinstance(node.value, str)}
    attributes = [node for _place, node, _unit in code.walk(ast.Attribute)]
    asked = {"set_default_dtype", "DoubleTensor", "LBFGS", "gradcheck", "linalg", "hessian"}
    return "float64" in texts or any(_is_double(node) or node.attr in asked for node in attributes)


def _is_wanted(code: Code, *, labels: bool) -> bool:
    """Whether the program asks for the type of its numbers, or does what needs many digits.

    That the model is cast is no wish: it is what makes it run with numbers that came as float64. Where the type is
    named, it may be one, unless classes are learned, for which no such digits are needed.
    """
    names = {node.attr for _place, node, _unit in code.walk(ast.Attribute)}
    names |= {str(node.value) for _place, node, _unit in code.walk(ast.Constant) if isinstance(node.value, str)}
    if names & {"set_default_dtype", "DoubleTensor", "LBFGS", "gradcheck", "linalg", "hessian"}:
        return True
    models = {
        ast.unparse(target)
        for _place, node, _unit in code.walk(ast.Assign)
        if isinstance(node.value, ast.Call) and _makes_a_model(node.value)
        for target in node.targets
    }
    typed = {
        ast.unparse(target)
        for _place, node, _unit in code.walk(ast.Assign)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "dtype"
        for target in node.targets
    }
    casts = 0
    written = {ast.unparse(node) for _place, node, _unit in code.walk(ast.Attribute) if _is_double(node)}
    if not labels and written & {"torch.float64", "torch.double"}:
        return True
    for _place, node, _unit in code.walk(ast.Call):
        told = [*node.args, *(one.value for one in node.keywords if one.arg == "dtype")]
        types = [
            one
            for one in told
            if _is_double(one) or (isinstance(one, ast.Attribute) and one.attr == "dtype") or ast.unparse(one) in typed
        ]
        if isinstance(node.func, ast.Attribute) and callee(node) in ("to", "type", "double"):
            owner = node.func.value
            model = ast.unparse(owner) in models or (isinstance(owner, ast.Call) and _makes_a_model(owner))
            doubles = callee(node) == "double" or any(_is_double(one) for one in types)
            if model:
                casts += doubles or bool(types)
            elif callee(node) == "double" and len(list(code.calls("double"))) == 1:
                casts += 1  # a function may have the model under another name
            elif doubles:
                return True
        elif any(_is_double(one) for one in told):
            if not _makes_a_model(node):
                return True
            casts += 1
    return not casts or "float64" in {str(n.value) for _p, n, _u in code.walk(ast.Constant)}


def _is_double(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("float64", "double", "float_")


def _makes_a_model(node: ast.Call) -> bool:
    """Whether what is called has a name like a class, and is no tensor's."""
    name = callee(node)
    return name[:1].isupper() and not name.endswith(("Tensor", "Dataset", "Loader"))


BROKEN = """\
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
torch.manual_seed(0)
points = rng.normal(size=(256, 8))
wanted = np.sin(points[:, :1])
x = torch.from_numpy(points)
y = torch.from_numpy(wanted)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1)).double()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(30):
    rows = torch.randint(256, (32,))
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

SLOPE = """\
import numpy as np
import torch

rng = np.random.default_rng(0)
x, y, w = rng.normal(size=(64, 3)), rng.normal(size=64), rng.normal(size=3)
slope = 2 * x.T @ (x @ w - y) / len(x)
weight = torch.tensor(w, requires_grad=True)
loss = ((torch.tensor(x) @ weight - torch.tensor(y)) ** 2).mean()
loss.backward()
assert np.allclose(slope, weight.grad)
"""

rule = Rule(
    code="R12",
    name="float64-from-numpy",
    voice="alarm",
    stage="resources",
    question="Is float64 used only where it was asked for?",
    needs=("resources", "failure"),
    find=find,
    text=Text(
        what="The model computes in float64, because NumPy's numbers are float64 when nothing else is said.",
        why="It takes twice the memory and at least twice the time. Training gains nothing from so many digits.",
        do="Write torch.from_numpy(array).float() for the data, and leave out .double() for the model.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("(points)", "(points).float()")
    .replace("(wanted)", "(wanted).float()")
    .replace(".double()", ""),
    lookalikes={
        "float64 is asked for": BROKEN.replace("(256, 8))", "(256, 8)).astype(np.float64)"),
        "the default type is float64": BROKEN.replace(").double()", ")").replace(
            "rng =", "torch.set_default_dtype(torch.float64)\nrng ="
        )
        + "torch.set_default_dtype(torch.float32)\n",
        "a slope by hand, held against autograd": SLOPE,
    },
    explains=("M35",),
)
