"""D07 wrong-statistics: inputs are normalised with numbers that are not their mean and standard deviation."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Edit, Finding, Rule
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_MEANS = {"mean", "means", "mu", "average", "avg", "centre", "center"}
_SPREADS = {"std", "stds", "sigma", "sd", "stdev", "deviation", "spread"}


def find(run: Run) -> Iterator[Finding]:
    """A quotient in which the names of mean and standard deviation stand in each other's place."""
    for unit in Code.of(run).units:
        for node in unit.nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.BinOp):
                if not isinstance(node.left.op, ast.Sub):
                    continue
                taken, below = words_in(ast.unparse(node.left.right)), words_in(ast.unparse(node.right))
                if not (taken & _SPREADS and below & _MEANS and not taken & _MEANS and not below & _SPREADS):
                    continue
                text = unit.text.splitlines()[node.lineno - 1]
                edits: tuple[Edit, ...] = ()
                right, down = ast.unparse(node.left.right), ast.unparse(node.right)
                old, new = f"- {right}) / {down}", f"- {down}) / {right}"
                if text.count(old) == 1:
                    edits = (Edit(line=node.lineno, old=1, new=(text.replace(old, new),), file=unit.file),)
                yield Finding(
                    evidence=_("{taken} is subtracted, and {below} divides.", taken=right, below=down),
                    place=unit.place(node),
                    edits=edits,
                )
            elif isinstance(node, ast.Call) and callee(node) == "Normalize":
                given = {k.arg: k.value for k in node.keywords}
                first = given.get("mean", node.args[0] if node.args else None)
                second = given.get("std", node.args[1] if len(node.args) > 1 else None)
                if first is None or second is None:
                    continue
                if words_in(ast.unparse(first)) & _SPREADS and words_in(ast.unparse(second)) & _MEANS:
                    yield Finding(
                        evidence=_(
                            "{taken} is subtracted, and {below} divides.",
                            taken=ast.unparse(first), below=ast.unparse(second),
                        ),
                        place=unit.place(node),
                    )  # fmt: skip


RIGHT = CLASSES.replace(
    "model = nn",
    "mean, std = train_x.mean(), train_x.std()\ntrain_x = (train_x - mean) / std\ntest_x = (test_x - mean) / "
    "std\nmodel = nn",
    1,
)

rule = Rule(
    code="D07",
    name="wrong-statistics",
    voice="note",
    stage="review",
    question="Is the mean subtracted, and does the standard deviation divide?",
    needs=("code",),
    find=find,
    text=Text(
        what="Mean and standard deviation have changed places.",
        why="The inputs then have neither mean 0 nor spread 1, which can make the training slower.",
        do="Subtract the mean first, then divide by the standard deviation.",
    ),
    broken=RIGHT.replace("- mean) / std", "- std) / mean"),
    fixed=RIGHT,
    lookalikes={
        "a share of the mean": RIGHT.replace("model = nn", "share = (train_x - mean) / mean.abs()\nmodel = nn", 1)
    },
)
