"""E16 losses-of-two-modes: the loss of the training is compared with that of the evaluation, as if they were alike."""

import ast
from collections.abc import Iterator, Sequence

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A difference or comparison of both, for a model with dropout."""
    code = Code.of(run)
    drops = any("Dropout" in unit.text or "dropout" in unit.text for unit in code.units)
    if not drops or not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    for unit in code.units:
        summed, alike = _summed_in_training(unit.nodes), _measured_alike(unit.nodes)
        for node in unit.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div):
                both = (node.left, node.right)
            elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
                both = (node.left, node.comparators[0])
            else:
                continue
            if any({ast.unparse(one) for one in both} <= names for names in alike):
                continue
            sides = [words_in(ast.unparse(one)) for one in both]
            for mine, other in (sides, sides[::-1]):
                trained = {"loss", "train"} <= mine or bool(mine & summed)
                if trained and "loss" in other and other & {"val", "valid", "test", "validation"}:
                    yield Finding(
                        evidence=_(
                            "{expression} compares both, and the model has dropout.", expression=ast.unparse(node)
                        ),
                        place=unit.place(node),
                    )
                    return


def _measured_alike(nodes: Sequence[ast.AST]) -> list[set[str]]:
    """Names that are given what the same function says: an evaluation of the training samples, too."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and callee(node.value) != "item":
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                found.setdefault(callee(node.value), set()).update(ast.unparse(one) for one in names)
    return list(found.values())


def _summed_in_training(nodes: Sequence[ast.AST]) -> set[str]:
    """The words of names, such as `running`, to which losses are added in a loop that goes backward."""
    found: set[str] = set()
    for loop in nodes:
        if not isinstance(loop, ast.For | ast.While):
            continue
        inner = [node for statement in loop.body for node in ast.walk(statement)]
        if not any(isinstance(node, ast.Call) and callee(node) == "backward" for node in inner):
            continue
        for node in inner:
            if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add):
                continue
            if "loss" in words_in(ast.unparse(node.value)):
                found |= words_in(ast.unparse(node.target))
    return found - {"loss"}


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
