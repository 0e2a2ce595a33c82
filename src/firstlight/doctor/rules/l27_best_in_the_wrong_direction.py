"""L27 best-in-the-wrong-direction: early stopping or the best model goes by the training loss, or takes the worst."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.loops import is_measure, losses_of, targets
from firstlight.doctor.pointing import instead
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import is_held_back, is_training, words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_SMALL = {"loss", "losses", "error", "err", "mse", "rmse", "mae", "nll", "perplexity", "ppl", "cost", "bce", "ce"}
_LARGE = {"acc", "accuracy", "score", "f1", "auc", "correct", "precision", "recall", "hits", "iou", "dice", "bleu"}
# Words by which a number is no loss and no accuracy although it is made of one, or is meant to be the largest.
_OTHER = {"neg", "negative", "minus", "drop", "gain", "fall", "improvement", "reduction", "decrease", "increase",
          "ratio", "delta", "diff", "difference", "gap", "worst", "highest", "largest", "max", "maximum", "hardest",
          "adversarial", "peak", "change", "slope", "rate", "margin"}  # fmt: skip
_TURNED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


@dataclass(frozen=True)
class Choice:
    """`if value < best: best = value`, however it is written.

    Attributes:
        unit: The file or cell.
        node: The `if`.
        compare: Its comparison.
        value: What is compared.
        best: The best so far.
        smaller: Whether smaller is taken for better.
        first: What the best is before anything was seen; None where that is not known.
        keeps: Whether something depends on it: weights are kept, or the training ends.
    """

    unit: Unit
    node: ast.If
    compare: ast.Compare
    value: ast.expr
    best: str
    smaller: bool
    first: float | None
    keeps: bool


def find(run: Run) -> Iterator[Finding]:
    """A loss of which the largest is kept, an accuracy of which the smallest is; a choice by what was learned from."""
    code = Code.of(run)
    losses = losses_of(code)
    learned = {one["model"]: one["whole"]["calls"] for one in newest(run, "rows") or []}
    # Whether rows were evaluated that were not learned from.
    unseen = any(one["calls"] > learned.get(one["model"], one["calls"]) + 1 for one in newest(run, "evaluations") or [])
    for one in _choices(code):
        kind = _kind(code, one, losses)
        if kind is None or not one.keeps:
            continue
        place = one.unit.place(one.compare)
        value = ast.unparse(one.value)
        if one.smaller != (kind == "loss"):
            evidence = (
                _("{value} is a loss: the smaller the better. Here the larger one is kept as {best}.", value=value,
                  best=one.best)
                if kind == "loss"
                else _("{value} is a share of right answers: the larger the better. Here the smaller one is kept as "
                       "{best}.", value=value, best=one.best)
            )  # fmt: skip
            yield Finding(evidence=evidence, place=place, edits=_turned(one, code), check=f"print({value}, {one.best})")
        elif one.first is not None and _is_never_better(one, kind):
            yield Finding(
                evidence=_("{best} begins at {first}, and no {value} is better than that.", best=one.best,
                           first=one.first, value=value),
                place=place,
                edits=_begun(one, code),
            )  # fmt: skip
        elif kind == "loss" and _is_trained(code, one, unseen=unseen):
            yield Finding(
                evidence=_("{value} comes from the training samples, although others are held back.", value=value),
                place=place,
            )


def _choices(code: Code) -> Iterator[Choice]:
    for _place, node, unit in code.walk(ast.If):
        for compare in (one for one in ast.walk(node.test) if isinstance(one, ast.Compare) and len(one.ops) == 1):
            sign = _TURNED.get(type(compare.ops[0]))
            if sign is None or any(isinstance(one, ast.Not) for one in ast.walk(node.test)):
                continue
            left, right = compare.left, compare.comparators[0]
            for block, other, turned in ((node.body, node.orelse, False), (node.orelse, node.body, True)):
                for value, against, flipped in ((left, right, False), (right, left, True)):
                    best = _best(block, value, against)
                    if best is None:
                        continue
                    smaller = (sign[0] == "<") != flipped
                    yield Choice(
                        unit, node, compare, value, best, smaller != turned, _first(unit, node, best),
                        _keeps(block) or _keeps(other),
                    )  # fmt: skip
                    break


def _best(block: list[ast.stmt], value: ast.expr, against: ast.expr) -> str | None:
    """The name that a block gives the value to, where it is what the value was compared with."""
    if not isinstance(value, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        return None
    names = {dotted(one) for one in ast.walk(against) if isinstance(one, ast.Name | ast.Attribute)}
    if isinstance(against, ast.BinOp) and not isinstance(against.op, ast.Add | ast.Sub):
        return None
    for node in block:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for to, given in pairs:
                if dotted(to) in names and ast.unparse(given) == ast.unparse(value):
                    return dotted(to)
    return None


def _first(unit: Unit, node: ast.If, best: str) -> float | None:
    """The number that the best begins with, where all other assignments above agree."""
    found: set[float | None] = set()
    for one in unit.nodes:
        if not isinstance(one, ast.Assign) or any(one is inner for inner in ast.walk(node)):
            continue
        for target in one.targets:
            pairs = [(target, one.value)]
            if isinstance(target, ast.Tuple) and isinstance(one.value, ast.Tuple):
                pairs = list(zip(target.elts, one.value.elts, strict=False))
            found |= {_number(given) for to, given in pairs if dotted(to) == best}
    return found.pop() if len(found) == 1 else None


def _number(node: ast.expr) -> float | None:
    text = ast.unparse(node).replace("'", '"')
    infinite = ('float("inf")', "math.inf", "np.inf", "torch.inf", "numpy.inf", "np.Inf", 'float("infinity")')
    if text in infinite:
        return float("inf")
    if text.lstrip("-") in infinite or text == 'float("-inf")':
        return -float("inf")
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _keeps(block: list[ast.stmt]) -> bool:
    """Whether weights are kept there, or the training is ended or counted down to its end."""
    for node in (inner for one in block for inner in ast.walk(one)):
        if isinstance(node, ast.Break | ast.Return):
            return True
        if isinstance(node, ast.Call) and callee(node) in (
            "state_dict",
            "deepcopy",
            "save",
            "save_model",
            "checkpoint",
        ):
            return True
        if isinstance(node, ast.AugAssign) and words_in(ast.unparse(node.target)) & {
            "patience", "wait", "waited", "waiting", "counter", "bad", "stale", "since", "epochs", "stall",
        }:  # fmt: skip
            return True
        if isinstance(node, ast.Assign) and any("stop" in (dotted(one) or "").lower() for one in node.targets):
            return True
    return False


def _kind(code: Code, one: Choice, losses: set[str]) -> str | None:
    """`loss` or `share`: by its definition where that can be followed, else by its name; None where unsure."""
    words = words_in(ast.unparse(one.value)) | words_in(one.best)
    if words & _OTHER:
        return None
    defined = _defined(code, one.unit, one.value, losses) or _handed(code, one, losses)
    by_name = words_in(ast.unparse(one.value)).union(
        *(words_in(ast.unparse(given)) for _u, _c, given in _given(code, one))
    )
    words |= by_name
    if words & _OTHER:
        return None
    named = {"loss" if by_name & _SMALL else "", "share" if by_name & _LARGE else ""} - {""}
    if defined == "unsure" or len(named) > 1:
        return None
    if defined is not None:
        return defined if not named or named == {defined} else None
    if not named:
        named = {"loss" if words & _SMALL else "", "share" if words & _LARGE else ""} - {""}
    return named.pop() if len(named) == 1 else None


def _handed(code: Code, one: Choice, losses: set[str]) -> str | None:
    """What a function that keeps the best is given, where it makes no difference between ways: by all its calls."""
    kinds = {_defined(code, unit, given, losses) for unit, _call, given in _given(code, one)}
    return kinds.pop() if len(kinds) == 1 else None


def _given(code: Code, one: Choice) -> list[tuple[Unit, ast.Call, ast.expr]]:
    """The calls of the function in which the best is kept, and what they give for the value that is compared."""
    around = [node for node in one.unit.nodes if isinstance(node, ast.FunctionDef) and one.node in ast.walk(node)]
    name = dotted(one.value)
    if not around or name is None:
        return []
    function = around[-1]
    names = [arg.arg for arg in function.args.args]
    owner = next((node for node in one.unit.nodes if isinstance(node, ast.ClassDef) and function in node.body), None)
    names = names[1:] if owner is not None else names
    plain = isinstance(one.node.test, ast.Compare) or all(
        isinstance(part, ast.Compare) for part in getattr(one.node.test, "values", [None])
    )
    inside = [node for node in ast.walk(function) if isinstance(node, ast.If) and node is not one.node]
    if name not in names or not plain or any(one.node in ast.walk(node) for node in inside):
        return []  # which way is better may depend on something
    called = {function.name}
    if owner is not None and function.name == "__call__":
        made = [node for _at, node, _unit in code.walk(ast.Assign)]
        called = set()
        for node in made:
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts, strict=False))
            called |= {
                (dotted(to) or "").rsplit(".", 1)[-1]
                for to, given in pairs
                if isinstance(given, ast.Call) and callee(given) == owner.name
            }
    found = []
    at = names.index(name)
    for _place, call, unit in code.calls(*(called - {""})):
        given = next((word.value for word in call.keywords if word.arg == name), None)
        given = given or (call.args[at] if at < len(call.args) else None)
        if given is None:
            return []
        found.append((unit, call, given))
    return found


def _defined(code: Code, unit: Unit, value: ast.expr, losses: set[str], depth: int = 0) -> str | None:
    """What a value is by the expressions that it is made of; `unsure` where one turns it round."""
    if depth > 7:
        return None
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        return "unsure"
    if isinstance(value, ast.BinOp):
        if isinstance(value.op, ast.Sub) or _number(value.left) is not None:
            return "unsure"
        return _defined(code, unit, value.left, losses, depth + 1)
    if isinstance(value, ast.Call):
        name = callee(value).lower()
        if name in ("item", "float", "mean", "sum", "sqrt", "detach", "cpu", "round"):
            inner = value.func.value if isinstance(value.func, ast.Attribute) and not value.args else None
            inner = inner or (value.args[0] if value.args else None)
            return _defined(code, unit, inner, losses, depth + 1) if inner is not None else None
        if name in losses or name.endswith(("_loss", "cross_entropy")):
            return "loss"
        functions = [node for _p, node, _u in code.walk(ast.FunctionDef) if node.name == callee(value)]
        if len(functions) == 1:
            returned = [node.value for node in ast.walk(functions[0]) if isinstance(node, ast.Return) and node.value]
            found = {_within(code, unit, functions[0], one, losses, depth + 1) for one in returned}
            return found.pop() if len(found) == 1 else None
        return None
    if isinstance(value, ast.ListComp | ast.GeneratorExp):
        return _defined(code, unit, value.elt, losses, depth + 1)
    if isinstance(value, ast.Compare):
        return "share" if isinstance(value.ops[0], ast.Eq) else None
    name = dotted(value) or ""
    assigned = [
        node.value
        for node in unit.nodes
        if isinstance(node, ast.Assign | ast.AugAssign)
        and name in targets(node)
        and not (isinstance(node, ast.Assign) and any(isinstance(to, ast.Tuple) for to in node.targets))
        and _number(node.value) is None
    ]
    assigned += [
        value.elts[at]
        for node in unit.nodes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
        for value in [node.value]
        for at, to in enumerate(node.targets[0].elts)
        if dotted(to) == name and at < len(value.elts) and _number(value.elts[at]) is None
    ]
    kinds = {_defined(code, unit, one, losses, depth + 1) for one in assigned}
    if "unsure" in kinds:
        return "unsure"
    kinds -= {None}
    if len(kinds) == 1:
        return kinds.pop()
    compared = any(is_measure(one, set()) for one in assigned)
    return "share" if not kinds and compared else None


def _within(
    code: Code, unit: Unit, function: ast.FunctionDef, value: ast.expr, losses: set[str], depth: int
) -> str | None:
    """What a function returns, by its own names."""
    if isinstance(value, ast.Tuple):
        return None
    inner = Unit(unit.file, unit.text, unit.cell)
    inner.__dict__["tree"] = ast.Module(body=function.body, type_ignores=[])
    return _defined(code, inner, value, losses, depth)


def _is_never_better(one: Choice, kind: str) -> bool:
    if kind == "loss":
        return one.smaller and one.first is not None and one.first <= 0 and "likelihood" not in one.best
    return not one.smaller and one.first == float("inf")


def _is_trained(code: Code, one: Choice, *, unseen: bool) -> bool:
    """Whether the value comes from training, at each place that gives it, and one of held-back samples is at hand."""
    if is_held_back(one.best):
        return False
    given: list[tuple[Unit, ast.AST, ast.expr]] = [*_given(code, one)] or [(one.unit, one.node, one.value)]
    return all(
        not is_held_back(ast.unparse(value))
        and (is_training(ast.unparse(value)) or _goes_backward(code, unit, at, value, kept=_keeps_weights(one.node)))
        and (_has_other(unit, at) or (unseen and _asks_apart(code, unit, at)))
        for unit, at, value in given
    )


def _asks_apart(code: Code, unit: Unit, at: ast.AST) -> bool:
    """Whether the loop around calls, beside the training, a function that evaluates."""
    functions = {node.name: node for _place, node, _unit in code.walk(ast.FunctionDef)}
    called = {
        callee(node)
        for loop in _loops_around(unit, at)
        for node in ast.walk(loop)
        if isinstance(node, ast.Call) and not is_training(ast.unparse(node))
    }
    return any(
        not _has_backward(functions[name]) and re.search(r"no_grad|inference_mode", ast.unparse(functions[name]))
        for name in called & set(functions)
    )


def _keeps_weights(node: ast.If) -> bool:
    """Whether weights are kept there: that a training ends which has converged is nothing."""
    calls = {callee(one) for one in ast.walk(node) if isinstance(one, ast.Call)}
    return bool(calls & {"state_dict", "deepcopy", "save", "save_model", "checkpoint"})


def _goes_backward(code: Code, unit: Unit, at: ast.AST, value: ast.expr, *, kept: bool) -> bool:
    """Whether a value is made, in the loop around, by a function that trains, or of what a batch's loss adds to."""
    loop = next((node for node in _loops_around(unit, at)[-1:]), None)
    if loop is None:
        return False
    value = _appended(loop, value)
    functions = {node.name: node for _place, node, _unit in code.walk(ast.FunctionDef)}
    if isinstance(value, ast.Call) and callee(value) in functions:
        return _has_backward(functions[callee(value)])
    name = dotted(value)
    if name is None:
        return False
    sums = [node for node in ast.walk(loop) if isinstance(node, ast.For) and _adds_to(node, {name})]
    if kept and sums and all(map(_has_backward, sums)):
        return True  # it is the sum itself
    made = [node for node in ast.walk(loop) if isinstance(node, ast.Assign) and name in targets(node)]
    if len(made) != 1 or isinstance(made[0].targets[0], ast.Tuple):
        return False
    if isinstance(made[0].value, ast.Call) and callee(made[0].value) in functions:
        return _has_backward(functions[callee(made[0].value)])
    parts = {dotted(node) for node in ast.walk(made[0].value) if isinstance(node, ast.Name | ast.Attribute)}
    summed = [inner for inner in ast.walk(loop) if isinstance(inner, ast.For) and _adds_to(inner, parts)]
    return bool(summed) and all(map(_has_backward, summed))


def _appended(loop: ast.AST, value: ast.expr) -> ast.expr:
    """What `history["loss"][-1]` is: the one value that the loop appends to this list; else the value itself."""
    if not isinstance(value, ast.Subscript) or ast.unparse(value.slice) != "-1":
        return value
    given = [
        node.args[0]
        for node in ast.walk(loop)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and node.args
        and ast.unparse(node.func.value) == ast.unparse(value.value)
    ]
    return given[0] if len(given) == 1 else value


def _adds_to(loop: ast.For, names: set[str | None]) -> bool:
    return any(isinstance(node, ast.AugAssign) and dotted(node.target) in names for node in ast.walk(loop))


def _has_backward(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Call) and callee(one) == "backward" for one in ast.walk(node))


def _loops_around(unit: Unit, at: ast.AST) -> list[ast.For | ast.While]:
    loops = [node for node in unit.nodes if isinstance(node, ast.For | ast.While)]
    return [loop for loop in loops if any(inner is at for inner in ast.walk(loop))]


def _has_other(unit: Unit, at: ast.AST) -> bool:
    """Whether a measure of held-back samples is at hand where the choice is made."""
    around = _loops_around(unit, at)
    names = {
        name
        for loop in around
        for node in ast.walk(loop)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for part in (target.elts if isinstance(target, ast.Tuple) else [target])
        if (name := dotted(part)) is not None
    }
    return any(is_held_back(name) and words_in(name) & (_SMALL | _LARGE) for name in names)


def _turned(one: Choice, code: Code) -> tuple[Edit, ...]:
    """The other direction, and the beginning that goes with it."""
    sign = _TURNED[type(one.compare.ops[0])]
    other = ("<" if sign[0] == ">" else ">") + sign[1:]
    left, right = ast.unparse(one.compare.left), ast.unparse(one.compare.comparators[0])
    edits = instead(one.unit, one.compare, f"{left} {other} {right}")
    begun = _begun(one, code, smaller=not one.smaller)
    return (*edits, *begun) if edits and (begun or one.first is None) else ()


def _begun(one: Choice, code: Code, *, smaller: bool | None = None) -> tuple[Edit, ...]:
    """The best so far begins with what everything is better than."""
    wanted = 'float("inf")' if (one.smaller if smaller is None else smaller) else '-float("inf")'
    for _place, node, unit in code.walk(ast.Assign):
        if unit is not one.unit or any(node is inner for inner in ast.walk(one.node)):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for to, given in pairs:
                if dotted(to) == one.best and _number(given) is not None:
                    return instead(unit, given, wanted)
    return ()


BROKEN = LOADERS.replace("for epoch in range(3):", 'best, kept = 0.0, None\nfor epoch in range(3):').replace(
    "    correct, total = 0, 0\n", "    correct, total, val_loss = 0, 0, 0.0\n"
).replace(
    "            total += len(labels)\n",
    "            total += len(labels)\n            val_loss += criterion(outputs, labels).item() * len(labels)\n",
) + """\
    val_loss = val_loss / total
    if val_loss > best:
        best = val_loss
        kept = {name: value.clone() for name, value in model.state_dict().items()}
"""  # fmt: skip
FIXED = BROKEN.replace("val_loss > best", "val_loss < best").replace("best, kept = 0.0", 'best, kept = float("inf")')

ALL_LEARNED = """\
import copy
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
model = nn.Linear(8, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


@torch.no_grad()
def look():
    return (model(x).argmax(1) == y).float().mean().item()


lowest, kept = float("inf"), None
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(256).split(16):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(look())
    if total < lowest:
        lowest = total
        kept = copy.deepcopy(model.state_dict())
"""

rule = Rule(
    code="L27",
    name="best-in-the-wrong-direction",
    voice="alarm",
    stage="evaluation",
    question="Does early stopping keep the best, by samples that were held back?",
    needs=("code",),
    find=find,
    text=Text(
        what="What is kept as the best is not the best.",
        why="A loss is the better the smaller it is, an accuracy the larger. On training samples both go on getting "
        "better while the model learns them by heart.",
        do="Keep the smallest validation loss, beginning with infinity, or the largest validation accuracy from 0.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "the training loss chooses where nothing is held back": ALL_LEARNED,
        "the largest accuracy": FIXED.replace("val_loss = val_loss / total", "accuracy = correct / total")
        .replace("val_loss < best", "accuracy > best")
        .replace("best = val_loss", "best = accuracy")
        .replace('float("inf")', "0.0"),
        "the largest of a loss with its sign turned": FIXED.replace("val_loss / total", "-val_loss / total").replace(
            "val_loss < best", "val_loss > best"
        ),
        "the worst is looked for": BROKEN.replace("best", "worst"),
    },
)
