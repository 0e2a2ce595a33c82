"""E16 losses-of-two-modes: the loss of the training is compared with that of the evaluation, as if they were alike."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
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
        for node in unit.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div):
                sides = [words_in(ast.unparse(one)) for one in (node.left, node.right)]
            elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
                sides = [words_in(ast.unparse(one)) for one in (node.left, node.comparators[0])]
            else:
                continue
            for mine, other in (sides, sides[::-1]):
                if (
                    "loss" in mine
                    and "loss" in other
                    and "train" in mine
                    and other & {"val", "valid", "test", "validation"}
                ):
                    yield Finding(
                        evidence=_(
                            "{expression} compares both, and the model has dropout.", expression=ast.unparse(node)
                        ),
                        place=unit.place(node),
                    )
                    return


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
)
