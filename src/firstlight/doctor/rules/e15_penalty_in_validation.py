"""E15 penalty-in-validation: the loss of the validation holds a penalty on the weights, not errors alone."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_FACTORS = {"decay", "wd", "regularization", "regularisation", "ridge", "lasso", "shrinkage"}
_SIZES = ("square", "pow", "norm", "abs", "vector_norm")


def find(run: Run) -> Iterator[Finding]:
    """A call, with autograd off, of a function that adds a penalty on all weights to its loss."""
    if not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    for unit in Code.of(run).units:
        penalised = _penalised(unit)
        for statement in _evaluated(unit):
            if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr):
                continue
            value = statement.value
            parts = _parts(statement)
            for call in ast.walk(value) if value is not None else ():
                if not isinstance(call, ast.Call) or callee(call) not in penalised:
                    continue
                if any(
                    isinstance(word.value, ast.Constant) and word.value.value in (False, 0) for word in call.keywords
                ):
                    continue  # asked to leave it out
                which = penalised[callee(call)]
                if call is value and parts and which is not None and "_" in parts[which : which + 1]:
                    continue  # the part that holds it is thrown away
                yield Finding(
                    evidence=_(
                        "{name}() adds a penalty on the weights, and is called here with gradients off.",
                        name=callee(call),
                    ),
                    place=unit.place(call),
                )
                return


def _penalised(unit: Unit) -> dict[str, int | None]:
    """Functions whose result holds a penalty on the weights next to a loss, and which part of it, of several."""
    functions = [node for node in unit.nodes if isinstance(node, ast.FunctionDef)]
    pure: set[str] = set()  # functions that give a penalty
    found: dict[str, int | None] = {}
    for _round in range(2):  # a function may be defined below the one that calls it
        for function in functions:
            held = {
                name.id
                for node in ast.walk(function)
                if isinstance(node, ast.Assign | ast.AugAssign) and _is_penalty(node.value, pure, set())
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                for name in ast.walk(target)
                if isinstance(name, ast.Name)
            }
            for node in ast.walk(function):
                if not isinstance(node, ast.Return) or node.value is None:
                    continue
                for at, part in enumerate(node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]):
                    if not _is_penalty(part, pure, held):
                        continue
                    found[function.name] = at if isinstance(node.value, ast.Tuple) else None
                    if not any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Add) for one in ast.walk(part)):
                        pure.add(function.name)
    calls = {one.name for one in functions if _scores(one)}
    return {name: at for name, at in found.items() if name in calls}


def _is_penalty(node: ast.AST, pure: set[str], held: set[str]) -> bool:
    """Whether sizes of all weights are added up in it, or a function or a name gives them, or its factor says so."""
    calls = {callee(one) for one in ast.walk(node) if isinstance(one, ast.Call)}
    if calls & pure or any(isinstance(one, ast.Name) and one.id in held for one in ast.walk(node)):
        return True
    powers = any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow) for one in ast.walk(node))
    factors = {
        name
        for one in ast.walk(node)
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult)
        for side in (one.left, one.right)
        if (name := dotted(side)) is not None and words_in(name) & _FACTORS
    }
    text = ast.unparse(node)
    weighted = any(f"1 - {name}" not in text and f"1.0 - {name}" not in text for name in factors)  # no moving average
    return weighted or (bool(calls & {"parameters", "named_parameters"}) and (bool(calls & set(_SIZES)) or powers))


def _scores(function: ast.FunctionDef) -> bool:
    """Whether a function asks a loss of data."""
    names = {callee(one).lower() for one in ast.walk(function) if isinstance(one, ast.Call)}
    return any(name.endswith(("_loss", "entropy", "criterion", "loss_fn", "with_logits", "loss")) for name in names)


def _evaluated(unit: Unit) -> Iterator[ast.AST]:
    """Statements with autograd off: in a `with torch.no_grad()`, or in a function that stands under it."""
    for node in unit.nodes:
        if isinstance(node, ast.With):
            off = any(_is_off(one.context_expr) for one in node.items)
        elif isinstance(node, ast.FunctionDef):
            off = any(_is_off(one) for one in node.decorator_list)
        else:
            continue
        if off:
            for child in node.body:
                yield from ast.walk(child)


def _is_off(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and callee(node) in ("no_grad", "inference_mode")


def _parts(statement: ast.stmt) -> list[str]:
    """What the parts of a result are called."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        return [ast.unparse(one) for one in statement.targets[0].elts]
    return []


RIGHT = (
    CLASSES.replace(
        "model = nn",
        "def objective(outputs, labels, penalty=True):\n    loss = nn.functional.cross_entropy(outputs, labels)\n"
        "    if penalty:\n        loss = loss + 1e-4 * sum(w.square().sum() for w in model.parameters())\n"
        "    return loss\n\n\nmodel = nn",
        1,
    )
    .replace("nn.functional.cross_entropy(model(train_x[rows]), ", "objective(model(train_x[rows]), ")
    .replace("    accuracy =", "    loss = objective(model(test_x), test_y, penalty=False)\n    accuracy =")
)

rule = Rule(
    code="E15",
    name="penalty-in-validation",
    voice="note",
    stage="review",
    question="Does the loss of the validation hold errors alone?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="The loss of the validation holds the penalty on the weights, too.",
        why="The penalty says nothing about errors: it can make a model look better or worse than it is.",
        do="Add the penalty where the model learns, and leave it out where it is evaluated.",
    ),
    broken=RIGHT.replace(", penalty=False", ""),
    fixed=RIGHT,
)
