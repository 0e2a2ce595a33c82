"""E16 losses-of-two-modes: the loss of the training is compared with that of the evaluation, as if they were alike."""

import ast
from collections.abc import Iterator, Sequence

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import has_call, is_held_back, words_in
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A difference or comparison of both, for a model with dropout."""
    code = Code.of(run)
    drops = any("Dropout" in unit.text or "dropout" in unit.text for unit in code.units)
    if not drops or not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    learning, testing = _functions(code, "backward"), _functions(code, "no_grad", "inference_mode", "eval")
    for unit in code.units:
        alike = _said_by(unit.nodes)
        trained = _summed_in_training(unit.nodes).union(*(alike[name] for name in learning & alike.keys()))
        tested = set[str]().union(*(alike[name] for name in (testing - learning) & alike.keys()))
        for node in unit.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div):
                both = (node.left, node.right)
            elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
                both = (node.left, node.comparators[0])
            else:
                continue
            texts = {ast.unparse(one) for one in both}
            if words_in(" ".join(texts)) & {"acc", "accuracy"} or any(texts <= names for names in alike.values()):
                continue  # measured by one function: an evaluation of the training samples, too
            for mine, other in (both, both[::-1]):
                of_training = _speaks_of(mine, trained) or {"loss", "train"} <= words_in(ast.unparse(mine))
                of_test = _speaks_of(other, tested) or _is_loss_of_test(ast.unparse(other))
                if of_training and of_test:
                    yield Finding(
                        evidence=_(
                            "{expression} compares both, and the model has dropout.", expression=ast.unparse(node)
                        ),
                        place=unit.place(node),
                    )
                    return


def _speaks_of(node: ast.expr, names: set[str]) -> bool:
    return any(ast.unparse(one) in names for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute))


def _is_loss_of_test(text: str) -> bool:
    return "loss" in words_in(text) and is_held_back(text)


def _functions(code: Code, *names: str) -> set[str]:
    """The functions in which one of these is called."""
    return {node.name for _place, node, _unit in code.walk(ast.FunctionDef) if has_call(node, *names)}


def _said_by(nodes: Sequence[ast.AST]) -> dict[str, set[str]]:
    """The names that are given what a function says, by the function."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and callee(node.value) != "item":
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                found.setdefault(callee(node.value), set()).update(ast.unparse(one) for one in names)
    return found


def _summed_in_training(nodes: Sequence[ast.AST]) -> set[str]:
    """Names, such as `running`, to which losses are added in a loop that goes backward."""
    found: set[str] = set()
    for loop in nodes:
        if isinstance(loop, ast.For | ast.While) and has_call(loop, "backward"):
            for node in ast.walk(loop):
                adds = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
                if isinstance(node, ast.AugAssign) and adds and "loss" in words_in(ast.unparse(node.value)):
                    found.add(ast.unparse(node.target))
    return found


RIGHT = CLASSES.replace("print(f", "train_loss = loss.item()\ntest_loss = 0.5\nprint(f")

rule = Rule(
    code="E16",
    name="losses-of-two-modes",
    voice="note",
    stage="review",
    question="Are the losses that are compared measured in the same way?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="The training loss is compared with the loss of the evaluation.",
        why="It is measured with dropout on, and while the weights still change, so it is larger.",
        do="To compare them, evaluate the training samples too: in eval mode, after the epoch.",
    ),
    broken=RIGHT + "print(test_loss - train_loss)\n",
    fixed=RIGHT,
    lookalikes={
        "measured by one function": RIGHT + "train_loss, _acc = divmod(5, 2)\ntest_loss, _acc = divmod(6, 2)\n"
        "print(test_loss - train_loss)\n",
    },
)
