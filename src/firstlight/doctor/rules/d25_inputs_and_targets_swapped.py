"""D25 inputs-and-targets-swapped: the loop unpacks a batch in another order than the dataset gives it."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import NUMBERS
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_INPUTS = {
    "x",
    "xs",
    "xb",
    "input",
    "inputs",
    "image",
    "images",
    "feature",
    "features",
    "picture",
    "pictures",
    "text",
    "texts",
}
_TARGETS = {"y", "ys", "yb", "label", "labels", "target", "targets", "answer", "answers"}


def find(run: Run) -> Iterator[Finding]:
    """Names that say: inputs first where the dataset is made, targets first where it is read, or the other way."""
    if not any(one["learned"] for one in newest(run, "inputs") or []):
        return
    code = Code.of(run)
    made: list[tuple[int, str]] = []
    for unit in code.units:
        for node in ast.walk(unit.tree):
            pair: list[ast.expr] = []
            if isinstance(node, ast.Call) and callee(node) == "TensorDataset":
                pair = node.args
            elif isinstance(node, ast.FunctionDef) and node.name == "__getitem__":
                given = [
                    n.value for n in ast.walk(node) if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)
                ]
                pair = given[-1].elts if given else []
            if len(pair) == 2 and (turn := _turn(pair)):
                made.append((turn, ast.unparse(pair[0])))
    if not made or len({turn for turn, _name in made}) != 1:
        return  # several orders: which is read where is not sure
    for unit in code.units:
        for node in ast.walk(unit.tree):
            if not isinstance(node, ast.For) or not isinstance(node.target, ast.Tuple) or len(node.target.elts) != 2:
                continue
            if not isinstance(node.iter, ast.Name | ast.Attribute) or "load" not in ast.unparse(node.iter).lower():
                continue
            if _turn(node.target.elts) == -made[0][0]:
                first, second = (ast.unparse(one) for one in node.target.elts)
                text = unit.text.splitlines()[node.lineno - 1]
                edits: tuple[Edit, ...] = ()
                if text.count(f"for {first}, {second} in") == 1:
                    edits = (Edit(line=node.lineno, old=1, file=unit.file, new=(
                        text.replace(f"for {first}, {second} in", f"for {second}, {first} in"),
                    )),)  # fmt: skip
                yield Finding(
                    evidence=_(
                        "The dataset gives {given} first, and the loop calls the first part of a batch {first}.",
                        given=made[0][1], first=first,
                    ),
                    step=0,
                    place=unit.place(node),
                    edits=edits,
                )  # fmt: skip
                return


def _turn(pair: "list[ast.expr]") -> int:
    """1 for inputs and targets, -1 for targets and inputs, 0 where names do not say."""
    first, second = (words_in(ast.unparse(one)) for one in pair)
    if first & _INPUTS and second & _TARGETS and not first & _TARGETS and not second & _INPUTS:
        return 1
    if first & _TARGETS and second & _INPUTS and not first & _INPUTS and not second & _TARGETS:
        return -1
    return 0


RIGHT = (
    NUMBERS.replace("x = torch.randn(600, 6)", "x = torch.randn(600, 1)")
    .replace("x[:, 0] - 2 * x[:, 1] * x[:, 2] + 0.1 * torch.randn(600)", "x.sin() + 0.1 * torch.randn(600, 1)")
    .replace("nn.Linear(6, 32)", "nn.Linear(1, 32)")
    .replace(", nn.Flatten(0))", ")")
)

rule = Rule(
    code="D25",
    name="inputs-and-targets-swapped",
    voice="alarm",
    stage="data",
    question="Does the loop read a batch in the order in which the dataset gives it?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="Inputs and targets have changed places between the dataset and the loop.",
        why="The model is given the targets, and learns to guess the inputs from them.",
        do="Unpack the batch in the order in which the dataset gives it.",
    ),
    broken=RIGHT.replace("for inputs, targets in", "for targets, inputs in"),
    fixed=RIGHT,
    lookalikes={
        "labels first in both": RIGHT.replace("for inputs, targets in", "for targets, inputs in").replace(
            "TensorDataset(x[:480], y[:480])", "TensorDataset(y[:480], x[:480])"
        ),
    },
)
