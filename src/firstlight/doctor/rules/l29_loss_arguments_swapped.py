"""L29 loss-arguments-swapped: the model's output stands where the target belongs."""

import ast
from collections.abc import Iterable, Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import calls_in, spot_of
from firstlight.doctor.failing import evidence_of, failure_of, line_of, tensor_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run


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
_ONE_SIDED = ("maximum", "minimum", "max", "min", "where", "relu", "clamp", "clip", "softplus", "exp", "log", "log1p")


def _own(run: Run) -> Iterator[Finding]:
    """A loss of the learner's own, whose names say which is which, and a call that gives it the two the other way."""
    if not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    code = Code.of(run)
    losses = {name: node for name, node in _own_losses(code) if not _is_symmetric(node)}
    called = dict(losses)
    for _place, node, _unit in code.walk(ast.Assign):
        if isinstance(node.value, ast.Call) and callee(node.value) in losses:
            called |= {ast.unparse(one).rpartition(".")[2]: losses[callee(node.value)] for one in node.targets}
    models = {
        ast.unparse(node.func.value)
        for _place, node, _unit in code.walk(ast.Call)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("parameters", "train", "eval")
    }
    for place, call, unit in code.calls(*called):
        names = _parameters(called[callee(call)])
        if len(call.args) != 2 or call.keywords or not all(isinstance(one, ast.Name) for one in call.args):
            continue
        first_is_output = bool(words_in(names[0]) & _OUTPUTS)
        given = [_is_output(unit.nodes, ast.unparse(one), models) for one in call.args]
        if given == [not first_is_output, first_is_output]:
            first, second = (ast.unparse(one) for one in call.args)
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
                edits=_swapped(code, place),
            )
            return


def _own_losses(code: Code) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions of two, of which one is called an output and the other a target; classes by their `forward`."""
    for _place, body, _unit in code.walk(ast.ClassDef):
        for node in body.body:
            if isinstance(node, ast.FunctionDef) and node.name == "forward" and _is_loss(node):
                yield body.name, node
    for _place, node, _unit in code.walk(ast.FunctionDef):
        if node.name != "forward" and _is_loss(node):
            yield node.name, node


def _is_loss(node: ast.FunctionDef) -> bool:
    names = [words_in(name) for name in _parameters(node)]
    return len(names) == 2 and any(a & _OUTPUTS and b & _TARGETS and not b & _OUTPUTS for a, b in (names, names[::-1]))


def _parameters(node: ast.FunctionDef) -> list[str]:
    names = [one.arg for one in node.args.args]
    return names[1:] if names[:1] == ["self"] else names


def _is_symmetric(node: ast.FunctionDef) -> bool:
    """Whether nothing is seen that treats its two arguments otherwise: a logarithm or a divisor of one, a sign."""
    both = set(_parameters(node))
    apart = {
        ast.unparse(target)
        for one in ast.walk(node)
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.BinOp) and isinstance(one.value.op, ast.Sub)
        and {ast.unparse(one.value.left), ast.unparse(one.value.right)} == both
        for target in one.targets
    }  # fmt: skip
    for one in ast.walk(node):
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div):
            below = _names(one.right)
            if len(below & both) == 1:
                return False
        if isinstance(one, ast.Call) and callee(one) in _ONE_SIDED:
            inside = set[str]().union(*(_names(part) for part in [one.func, *one.args]))
            if inside & apart or len(inside & both) == 1 or _differs(one, both):
                return False
    return True


def _differs(node: ast.AST, both: set[str]) -> bool:
    """Whether the difference of the two stands inside, by itself."""
    return any(
        isinstance(one, ast.BinOp) and isinstance(one.op, ast.Sub)
        and {ast.unparse(one.left), ast.unparse(one.right)} == both
        for one in ast.walk(node)
    )  # fmt: skip


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _is_output(nodes: Iterable[ast.AST], name: str, models: set[str]) -> bool:
    """Whether a name is only ever given what a model says, or something made of it."""
    given = [
        node.value
        for node in nodes
        if isinstance(node, ast.Assign) and name in [ast.unparse(one) for one in node.targets]
    ]
    return bool(given) and all(
        any(isinstance(one, ast.Call) and ast.unparse(one.func) in models for one in ast.walk(value)) for value in given
    )


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
    out = model(x)
    goal = y
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
            "torch.maximum(0.9 * miss, -0.1 * miss)", "torch.sqrt(miss ** 2 + 1)"
        ),
        "one of their own, in its order": _OWN.replace("(goal, out)", "(out, goal)"),
        "two models teach each other": BROKEN.replace("criterion(goal, out)", "criterion(out, model(x).softmax(1))"),
    },
    explains=("M05", "L14", "L15", "L18", "M31", "D02", "D03", "M08", "R12", "X01", "L04", "L07"),
)
