"""L26 best-weights-not-copied: what is kept of the best epoch is the weights themselves, which go on changing."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, calls_in, dotted, spot_of, spots
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_GIVING = ("parameters", "named_parameters")
_OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop",
               "LBFGS")  # fmt: skip


def find(run: Run) -> Iterator[Finding]:
    """A state that was loaded back and is what was there; or one kept under a condition, and changed since."""
    kept = newest(run, "kept_states") or {}
    code = Code.of(run)
    for one in kept.get("restored", []):
        place = Place.from_json(one["kept"])
        yield Finding(
            evidence=_(
                "The state that was loaded back had been kept {steps} steps before, and had changed with the model: "
                "it was the same memory.",
                steps=one["steps"],
            ),
            step=one["step"],
            place=place,
            places=tuple(found for found in (Place.from_json(one["loaded"]),) if found is not None),
            edits=_copied(code, place),
        )
        return
    for one in kept.get("alive", []):
        place = Place.from_json(one["kept"])
        spot = spot_of(code, place)
        if spot is None or not any(isinstance(node, ast.If) for node in spot.around):
            continue  # a state at hand is nothing: one that was kept on a condition is meant to stay
        yield Finding(
            evidence=_(
                "The state that was kept {steps} steps before the end has changed with the model: "
                "it is the same memory.",
                steps=one["steps"],
            ),
            step=None,
            place=place,
            edits=_copied(code, place),
        )
        return
    trained = sum(one["learned"] >= 10 for one in newest(run, "models") or [])
    loose = (newest(run, "loose_weights") or {}).get("held")  # a net that is made of tensors
    if trained != 1 and not (loose and not trained):
        return  # of several models the best one itself may be kept
    for spot in _kept_as_they_are(code):
        yield Finding(
            evidence=_(
                "Where a new best is found, {line} keeps the weights themselves: every later step changes them.",
                line=spot.text.split("\n")[0],
            ),
            step=None,
            place=spot.place,
            edits=_copied(code, spot.place),
        )
        return


def _kept_as_they_are(code: Code) -> Iterator[Spot]:
    """Statements under `if new > best: best = new` that keep weights, or the model, without a copy."""
    models = {
        dotted(call.func.value)
        for spot in spots(code)
        for call in calls_in(spot.node, "train", "eval", "parameters", "named_parameters", "state_dict", "zero_grad")
        if isinstance(call.func, ast.Attribute)
    } - {None, "self"}
    weights = _trained_names(code)
    models |= weights
    for spot in spots(code):
        around = spot.around[-1] if spot.around else None
        if not isinstance(around, ast.If) or spot.node not in around.body or not _sets_a_best(around):
            continue
        pairs = [
            (name, value)
            for name, value in _given(spot.node)
            if _is_live(value, weights)
            or (isinstance(value, ast.Name) and value.id in models and not _made_in(spot, value.id))
        ]
        if not pairs:
            continue
        name = pairs[0][0]
        inside = list(ast.walk(around))
        if any(isinstance(one, ast.Break | ast.Return) for one in inside):
            continue
        if any(isinstance(one, ast.Call) and callee(one) in ("save", "deepcopy", "dump") for one in inside):
            continue
        read = [
            node
            for _at, node, _unit in code.walk(ast.expr)
            if isinstance(getattr(node, "ctx", None), ast.Load) and dotted(node) in (name, f"self.{name}")
        ]
        ends = name.rsplit(".", 1)[-1]
        if read or any(
            node.attr == ends and isinstance(node.ctx, ast.Load) for _a, node, _u in code.walk(ast.Attribute)
        ):
            yield spot


def _given(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement gives values to, each with its value."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return
    target, value = node.targets[0], node.value
    pairs = [(target, value)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = list(zip(target.elts, value.elts, strict=True))
    for one, of in pairs:
        name = dotted(one)
        if name is not None:
            yield name, of


def _sets_a_best(node: ast.If) -> bool:
    """Whether a test compares two values, and one of them then takes the other's place."""
    orders = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    found = [one for one in ast.walk(node.test) if isinstance(one, ast.Compare) and isinstance(one.ops[0], orders)]
    held = {dotted(side) for one in found for side in ast.walk(one) if isinstance(side, ast.expr)} - {None, "self"}
    for statement in node.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        given = {dotted(one) for target in targets for one in ast.walk(target) if isinstance(one, ast.expr)}
        if held & given:
            return True
    return False


def _trained_names(code: Code) -> set[str]:
    """Names of what optimizers are made of: lists and dictionaries of tensors."""
    found: set[str] = set()
    for _at, call, _unit in code.walk(ast.Call):
        given: ast.AST | None = call.args[0] if call.args else None
        if given is None or callee(call) not in _OPTIMIZERS:
            continue
        while isinstance(given, ast.Call) and callee(given) in ("list", "tuple", "values", "items"):
            owner = given.func.value if isinstance(given.func, ast.Attribute) else None
            given = owner if owner is not None else given.args[0] if given.args else None
        name = dotted(given) if given is not None else None
        found |= {name} if name is not None else set()
    return found


def _is_live(value: ast.expr, weights: "set[str] | frozenset[str]" = frozenset()) -> bool:
    """Whether a value is made of weights that are not copied: a state, a dictionary or a list of them."""
    if isinstance(value, ast.Call):
        if callee(value) == "state_dict":
            return isinstance(value.func, ast.Attribute) and "opt" not in (dotted(value.func.value) or "").lower()
        inner: ast.expr | None = value.args[0] if len(value.args) == 1 else None
        if callee(value) == "copy" and isinstance(value.func, ast.Attribute) and dotted(value.func.value) != "copy":
            inner = value.func.value  # of a dictionary: its tensors are the same
        if callee(value) in ("dict", "OrderedDict", "list", "tuple", "copy") and inner is not None:
            if isinstance(inner, ast.Call) and callee(inner) in ("values", "items"):
                inner = inner.func.value if isinstance(inner.func, ast.Attribute) else inner
            given = isinstance(inner, ast.Call) and callee(inner) in _GIVING
            return given or dotted(inner) in weights or _is_live(inner, weights)
        return False
    if isinstance(value, ast.Dict):
        return any(one is not None and _is_live(one, weights) for one in value.values)
    if isinstance(value, ast.DictComp | ast.ListComp):
        over = value.generators[0].iter
        calls = {callee(one) for one in ast.walk(over) if isinstance(one, ast.Call)}
        names_over = {dotted(one) for one in ast.walk(over) if isinstance(one, ast.Name | ast.Attribute)}
        if len(value.generators) != 1 or not (calls & {*_GIVING, "state_dict"} or names_over & weights):
            return False
        kept = value.value if isinstance(value, ast.DictComp) else value.elt
        while True:
            if isinstance(kept, ast.Attribute) and kept.attr == "data":
                kept = kept.value
            elif (
                isinstance(kept, ast.Call)
                and callee(kept) in ("detach", "view")
                and isinstance(kept.func, ast.Attribute)
            ):
                kept = kept.func.value
            else:
                break
        names = {one.id for one in ast.walk(value.generators[0].target) if isinstance(one, ast.Name)}
        return isinstance(kept, ast.Name) and kept.id in names
    return False


def _made_in(spot: Spot, name: str) -> bool:
    """Whether a loop around makes the model of this name: of several models the best one is kept."""
    for loop in spot.loops:
        for node in ast.walk(loop):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                return True
    return not spot.loops


def _copied(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """A copy of each tensor."""
    spot = spot_of(code, place)
    if spot is None:
        return ()
    calls = calls_in(spot.node, "state_dict")
    owner = dotted(calls[0].func.value) if len(calls) == 1 and isinstance(calls[0].func, ast.Attribute) else None
    if owner is None or calls[0].args or calls[0].keywords:
        return ()
    old = f"{owner}.state_dict()"
    edit = spot.replaced(old, f"{{name: value.clone() for name, value in {old}.items()}}")
    return (edit,) if edit is not None else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
best, best_state = 1e9, None
for step in range(30):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step < 20 and loss.item() < best:
        best, best_state = loss.item(), model.state_dict()
model.load_state_dict(best_state)
"""

rule = Rule(
    code="L26",
    name="best-weights-not-copied",
    voice="alarm",
    stage="evaluation",
    question="Is what is kept of the best epoch a copy?",
    needs=("models", "loose_weights"),
    find=find,
    text=Text(
        what="The best weights are not copied: what was kept changes with every later step.",
        why="state_dict() gives the weights themselves, not their values at that time.",
        do="Keep a copy: copy.deepcopy(model.state_dict()).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("model.state_dict()\n", "{k: v.clone() for k, v in model.state_dict().items()}\n"),
    lookalikes={
        "the best of three models": "import torch\nfrom torch import nn\n\ntorch.manual_seed(0)\n"
        "x, y = torch.randn(256, 8), torch.randint(3, (256,))\nbest, kept = 1e9, None\nfor size in (4, 8, 16):\n"
        "    model = nn.Sequential(nn.Linear(8, size), nn.ReLU(), nn.Linear(size, 3))\n"
        "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n    for step in range(20):\n"
        "        optimizer.zero_grad()\n        loss = nn.functional.cross_entropy(model(x), y)\n"
        "        loss.backward()\n        optimizer.step()\n    if loss.item() < best:\n"
        "        best = loss.item()\n        kept = model\nkept.eval()\n",
        "a deep copy": BROKEN.replace("import torch\n", "import copy\n\nimport torch\n", 1).replace(
            "model.state_dict()\n", "copy.deepcopy(model.state_dict())\n"
        ),
        "saved at once": BROKEN.replace("import torch\n", "import io\n\nimport torch\n", 1).replace(
            "        best, best_state = loss.item(), model.state_dict()\nmodel.load_state_dict(best_state)\n",
            "        best, best_state = loss.item(), model.state_dict()\n"
            "        torch.save(best_state, io.BytesIO())\n",
        ),
        "another model follows": BROKEN.replace(
            "        best, best_state = loss.item(), model.state_dict()\nmodel.load_state_dict(best_state)\n",
            "        follower.load_state_dict(model.state_dict())\n",
        ).replace("best, best_state = 1e9, None", "best, follower = 1e9, nn.Linear(8, 3)"),
    },
)
