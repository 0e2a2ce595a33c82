"""L29 loss-arguments-swapped: the model's output stands where the target belongs."""

import ast
from collections.abc import Iterator, Sequence

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import calls_in, spot_of
from firstlight.doctor.failing import evidence_of, failure_of, line_of, tensor_of
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import function_around
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_OWN_ORDER = Text(
    what="This loss seems to be given the target in the place of the output.",
    why="It treats the two differently, so this computes something else than the loss that is meant.",
    do="Give the two in the order in which the function names them.",
)


def find(run: Run) -> Iterator[Finding]:
    """A loss whose target can learn and whose input cannot. Only losses for which the order matters are asked."""
    yield from _refused(run)
    yield from _own(run)
    for one in (newest(run, "losses") or {}).get("swapped", []):
        if one["count"] < 3:
            continue
        place = Place.from_json(one["place"])
        yield Finding(
            evidence=_(
                "In {count} calls of {name}, the second argument came from the model (it has a gradient), "
                "the first one did not.",
                count=one["count"],
                name=one["name"],
            ),
            step=one["step"],
            place=place,
            edits=_swapped(Code.of(run), place),
            check="print(output.requires_grad, target.requires_grad)  # right: True False",
        )


_OUTPUTS = {"pred", "preds", "prediction", "predictions", "predicted", "output", "outputs", "out", "logits", "hat",
            "guess", "forecast", "estimate"}  # fmt: skip
_TARGETS = {"target", "targets", "label", "labels", "true", "truth", "actual", "gt", "goal", "observed"}
_SIDES = ("maximum", "minimum", "max", "min", "relu")
_EVEN = ("abs", "pow", "square", "cosh", "norm")


def _own(run: Run) -> Iterator[Finding]:
    """A loss of the learner's own, whose names say which is which, and a call that gives it the two the other way."""
    if not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    code = Code.of(run)
    called = _own_losses(code)
    models = {
        ast.unparse(node.func.value)
        for _place, node, _unit in code.walk(ast.Call)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("parameters", "train", "eval")
    }
    both_ways = {(callee(call), *map(ast.unparse, call.args)) for _place, call, _unit in code.calls(*called)}
    for place, call, _unit in code.calls(*called):
        names = _parameters(called[callee(call)])
        if len(call.args) != 2 or call.keywords or not all(isinstance(one, ast.Name) for one in call.args):
            continue
        first, second = map(ast.unparse, call.args)
        first_is_output = bool(words_in(names[0]) & _OUTPUTS)
        within = _within(code, place)
        given = [_is_output(within, one, models) for one in (first, second)]
        if given == [not first_is_output, first_is_output] and (callee(call), second, first) not in both_ways:
            yield Finding(
                evidence=_(
                    "{name} is given {first} as {as_first} and {second} as {as_second}; "
                    "{output} is what the model says.",
                    name=callee(call),
                    first=first,
                    second=second,
                    as_first=names[0],
                    as_second=names[1],
                    output=second if first_is_output else first,
                ),
                step=0,
                place=place,
                text=_OWN_ORDER,
                voice="question",  # read from names alone
                edits=_swapped(code, place),
            )
            return


def _own_losses(code: Code) -> dict[str, ast.FunctionDef]:
    """Functions of two, of which one is called an output and the other a target, by the names that they are called by.

    Of classes that is `forward`, by the names of what is made of them. A name that stands for several is left out.
    """
    made: list[tuple[str, ast.FunctionDef]] = []
    classes: dict[str, ast.FunctionDef] = {}
    for _place, body, _unit in code.walk(ast.ClassDef):
        for node in body.body:
            if isinstance(node, ast.FunctionDef) and node.name == "forward" and _is_loss(node):
                classes[body.name] = node
    for _place, node, _unit in code.walk(ast.Assign):
        if isinstance(node.value, ast.Call) and callee(node.value) in classes:
            made += [(ast.unparse(one).rpartition(".")[2], classes[callee(node.value)]) for one in node.targets]
    made += [(node.name, node) for _place, node, _unit in code.walk(ast.FunctionDef) if node.name != "forward"]
    known = dict(made)
    alone = {name for name in known if sum(name == other for other, _node in made) == 1}
    return {name: known[name] for name in alone if _is_loss(known[name]) and not _is_symmetric(known[name])}


def _is_loss(node: ast.FunctionDef) -> bool:
    names = [words_in(name) for name in _parameters(node)]
    return len(names) == 2 and any(a & _OUTPUTS and b & _TARGETS and not b & _OUTPUTS for a, b in (names, names[::-1]))


def _parameters(node: ast.FunctionDef) -> list[str]:
    names = [one.arg for one in node.args.args]
    return names[1:] if names[:1] == ["self"] else names


def _is_symmetric(node: ast.FunctionDef) -> bool:
    """Whether nothing is seen that treats its two arguments otherwise.

    That is a sign of their difference, as in `maximum(0.9 * miss, -0.1 * miss)`, or one of them alone that is divided
    by, or whose logarithm is taken.
    """
    both = set(_parameters(node))
    apart = {
        ast.unparse(target)
        for one in ast.walk(node)
        if isinstance(one, ast.Assign) and _is_difference(one.value, both)
        for target in one.targets
    }
    nodes = list(ast.walk(node))
    divided = {_alone(one.right) for one in nodes if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div)}
    calls = [one for one in nodes if isinstance(one, ast.Call)]
    logged = {_alone(one.args[0] if one.args else one.func) for one in calls if callee(one) == "log"}
    if len(divided & both) == 1 or len(logged & both) == 1:
        return False
    return not any(callee(one) in _SIDES and _has_sign(one, both, apart) for one in calls)


def _has_sign(node: ast.AST, both: set[str], apart: set[str]) -> bool:
    """Whether the difference of the two stands inside, and nothing that takes its sign away."""
    signed = False
    for one in ast.walk(node):
        if isinstance(one, ast.Pow) or (isinstance(one, ast.Call) and callee(one) in _EVEN):
            return False
        signed = signed or _is_difference(one, both) or (isinstance(one, ast.Name) and one.id in apart)
    return signed


def _is_difference(node: ast.AST, both: set[str]) -> bool:
    """Whether it is one of the two minus the other."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return False
    return {ast.unparse(node.left), ast.unparse(node.right)} == both


def _alone(node: ast.expr) -> str:
    """The name that stands there alone, but for a bound or a small number that is added."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _alone(node.left)
    if isinstance(node, ast.Attribute):  # `pred.log`, of a call
        return _alone(node.value)
    if (
        isinstance(node, ast.Call)
        and callee(node) in ("clamp", "clip", "clamp_min")
        and isinstance(node.func, ast.Attribute)
    ):
        return _alone(node.func.value)
    return node.id if isinstance(node, ast.Name) else ""


def _is_output(nodes: Sequence[ast.AST], name: str, models: set[str], deep: int = 5) -> bool | None:
    """Whether a name stands for what a model says or a part of it; None where that cannot be read."""
    values = [one.value for one in nodes if isinstance(one, ast.Assign) and name in map(ast.unparse, one.targets)]
    if not values:
        loops = [one for one in nodes if isinstance(one, ast.For)]
        return False if any(name in _names(one.target) for one in loops) else None
    if all(_calls_one(value, models) for value in values):
        return True
    calls = [one for value in values for one in ast.walk(value) if isinstance(one, ast.Call)]
    inside = set[str]().union(*map(_names, values)) - {name}
    given = {one.arg for one in nodes if isinstance(one, ast.arg)}
    if not deep or inside & given or any(isinstance(one.func, ast.Name) for one in calls):
        return None
    known = {name for one in nodes if isinstance(one, ast.Assign) for target in one.targets for name in _names(target)}
    known |= {name for one in nodes if isinstance(one, ast.For) for name in _names(one.target)}
    answers = {_is_output(nodes, one, models, deep - 1) for one in inside & known}
    return True if answers == {True} else False if answers <= {False} else None


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _calls_one(node: ast.AST, models: set[str]) -> bool:
    return any(isinstance(one, ast.Call) and ast.unparse(one.func) in models for one in ast.walk(node))


def _within(code: Code, place: Place) -> list[ast.AST]:
    """What stands in the same function as a line, without what stands in functions inside."""
    around = function_around(code, place)
    found: list[ast.AST] = []
    below = list(ast.iter_child_nodes(around[1])) if around is not None else []
    while below:
        node = below.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            below += ast.iter_child_nodes(node)
    return found


def _refused(run: Run) -> Iterator[Finding]:
    """The same where the loss could not be computed at all."""
    failure = failure_of(run, r".")
    if failure is None:
        return
    first, second = tensor_of(failure, "input"), tensor_of(failure, "target")
    if first is None or second is None or first["learns"] or not second["learns"]:
        return
    place = line_of(failure)
    yield Finding(
        evidence=evidence_of(failure), step=failure["step"], place=place, edits=_swapped(Code.of(run), place),
        check="print(output.requires_grad, target.requires_grad)  # right: True False",
    )  # fmt: skip


def _swapped(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """The two arguments in the other order."""
    spot = spot_of(code, place)
    if spot is None or not spot.alone:
        return ()
    calls = [call for call in calls_in(spot.node) if len(call.args) == 2 and all(_plain(one) for one in call.args)]
    if len(calls) != 1:
        return ()
    texts = [ast.get_source_segment(spot.unit.text, one) or "" for one in calls[0].args]
    old = ast.get_source_segment(spot.unit.text, calls[0]) or ""
    inner = f"{texts[0]}, {texts[1]}"
    if old.count(inner) != 1:
        return ()
    edit = spot.replaced(old, old.replace(inner, f"{texts[1]}, {texts[0]}"))
    return (edit,) if edit is not None else ()


def _plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
goal = torch.softmax(torch.stack([x[:, 0], x[:, 1], x[:, 2]], 1), 1)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.KLDivLoss(reduction="batchmean")
for step in range(20):
    out = model(x).log_softmax(1)
    loss = criterion(goal, out)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

_OWN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x[:, :1] + torch.randn(256, 1)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def pinball(pred, target):
    miss = target - pred
    return torch.maximum(0.9 * miss, -0.1 * miss).mean()


for step in range(20):
    goal = y[:]
    out = model(x)
    loss = pinball(goal, out)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L29",
    name="loss-arguments-swapped",
    voice="alarm",
    stage="graph",
    question="Is the model's output the first argument of the loss?",
    needs=("losses", "inputs", "failure"),
    find=find,
    text=Text(
        what="The loss is given the target first and the model's output second.",
        why="The two are treated differently, so this computes something else than the loss that is meant.",
        do="Write criterion(output, target): first what the model says, then what is right.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("criterion(goal, out)", "criterion(out, goal)"),
    lookalikes={
        "a symmetric loss": BROKEN.replace('KLDivLoss(reduction="batchmean")', "MSELoss()"),
        "one of their own that is symmetric": _OWN.replace(
            "torch.maximum(0.9 * miss, -0.1 * miss)",
            "torch.where(miss.abs() < 1, miss**2 / 2, torch.maximum(miss.abs() - 0.5, 0 * miss))",
        ),
        "what a teacher says, in its order": _OWN.replace("goal = y[:]", "goal = teacher(x)")
        .replace("out = model(x)", "said = model(x)\n    out = said * 1")
        .replace("pinball(goal, out)", "pinball(out, goal)")
        .replace("optimizer =", "teacher = nn.Linear(8, 1).eval()\noptimizer ="),
        "one of their own, in its order": _OWN.replace("pinball(goal, out)", "pinball(out, goal)"),
        "two models teach each other": BROKEN.replace("criterion(goal, out)", "criterion(out, model(x).softmax(1))"),
    },
    explains=("M05", "L14", "L15", "L18", "M31", "D02", "D03", "M08", "R12", "X01", "L04", "L07"),
)
