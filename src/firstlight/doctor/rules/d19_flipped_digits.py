"""D19 flipped-digits: pictures of digits are mirrored, although a mirrored digit is another sign or none."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_SIGNS = {
    "mnist",
    "digit",
    "digits",
    "svhn",
    "letters",
    "characters",
    "glyphs",
    "glyph",
    "numerals",
    "emnist",
    "kmnist",
}
_FLIPS = ("RandomHorizontalFlip", "RandomVerticalFlip", "hflip", "vflip", "flip", "fliplr", "flipud")


def find(run: Run) -> Iterator[Finding]:
    """A flip at random, in a program whose data are signs."""
    code = Code.of(run)
    names = [
        node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else str(node.value)
        for unit in code.units
        for node in unit.nodes
        if isinstance(node, ast.Name | ast.Attribute)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    sign = next((name for name in names if len(name) < 60 and _is_sign(words_in(name))), None)
    if sign is None:
        return
    for unit in code.units:
        for node in unit.nodes:
            if not isinstance(node, ast.Call) or callee(node) not in _FLIPS:
                continue
            by_chance = callee(node).startswith("Random") or _is_drawn(unit.tree, node)
            if by_chance:
                yield Finding(
                    evidence=_("{flip} is applied, and the program speaks of {name}.", flip=callee(node), name=sign),
                    place=unit.place(node),
                )
                return


def _is_drawn(tree: ast.AST, node: ast.AST) -> bool:
    """Whether a random number chooses it: an `if` or a `where` that asks one, or a name that holds one."""
    drawn = {
        name.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign) and "rand" in ast.unparse(one.value)
        for target in one.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    for one in ast.walk(tree):
        if isinstance(one, ast.If | ast.IfExp):
            asked: ast.AST = one.test
        elif isinstance(one, ast.Call) and callee(one) == "where" and one.args:
            asked = one.args[0]
        elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Subscript):
            asked = one.targets[0].slice
        else:
            continue
        by_chance = "rand" in ast.unparse(asked) or any(
            isinstance(name, ast.Name) and name.id in drawn for name in ast.walk(asked)
        )
        if by_chance and any(inside is node for inside in ast.walk(one)):
            return True
    return False


def _is_sign(words: set[str]) -> bool:
    return bool(words & _SIGNS) and not words & {"fashion", "k"}


RIGHT = CLASSES.replace("train_x[rows]), train_y", "digits), train_y").replace(
    "        loss = nn", "        digits = train_x[rows]\n        loss = nn"
)

rule = Rule(
    code="D19",
    name="flipped-digits",
    voice="note",
    stage="review",
    question="Does a sample keep its meaning when it is augmented?",
    needs=("code",),
    find=find,
    text=Text(
        what="Signs are mirrored at random.",
        why="A mirrored 2 is no 2, and a 6 upside down is a 9: the label is then wrong.",
        do="Shift, turn a little or scale digits and letters instead of flipping them.",
    ),
    broken=RIGHT.replace(
        "digits = train_x[rows]\n",
        "digits = train_x[rows]\n        if torch.rand(1) < 0.5:\n            digits = digits.flip(1)\n",
    ),
    fixed=RIGHT,
    lookalikes={
        "other pictures may be mirrored": CLASSES.replace(
            "        optimizer.zero_grad()\n",
            "        optimizer.zero_grad()\n        if torch.rand(1) < 0.5:\n            rows = rows.flip(0)\n",
            1,
        ),
    },
)
