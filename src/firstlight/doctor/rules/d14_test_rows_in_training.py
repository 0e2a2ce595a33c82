"""D14 test-rows-in-training: some of the samples that are evaluated were learned from."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_held_back
from firstlight.locale import Text, _
from firstlight.run import Run

_SHARE = 0.05
_ROWS = 5
_OF_TEXT = ("split", "array_split", "splitlines", "rsplit", "splitext")  # and of tensors into batches


def find(run: Run) -> Iterator[Finding]:
    """Evaluations of which a part, not all, had been learned from, byte for byte."""
    for one in newest(run, "rows") or []:
        part = one["part"]
        if one["by_chance"] or one["labelled"] < 0.5 or not part["scored"]:
            continue
        if part["before"] < _ROWS or part["before"] <= _SHARE * part["rows"]:
            continue
        # Where training rows repeat as well, only copies are sure: there may be few different samples.
        if one["within"] >= 0.1 * part["before"] / part["rows"] and not one["copied"]:
            continue
        yield Finding(
            evidence=_(
                "{before} of {rows} evaluated rows are, byte for byte, rows that were learned from before.",
                before=part["before"],
                rows=part["rows"],
            ),
            step=part["step"],
            place=_split(_own(Code.of(run), part["places"])) or _evaluation(part["places"]),
        )


def _own(code: Code, places: list[list[dict[str, object]]]) -> Code:
    """The same, the files first that evaluate."""
    near = [place["file"] for one in places for place in one]
    return Code(sorted(code.units, key=lambda unit: near.index(unit.file) if unit.file in near else len(near)))


def _evaluation(places: list[list[dict[str, object]]]) -> Place | None:
    return Place.from_json(places[0][0]) if places else None


def _split(code: Code) -> Place | None:
    """The line that divides the samples: in a loop, by a function for it, or by two slices of one order."""
    for unit in code.units:
        calls = [n for n in unit.nodes if isinstance(n, ast.Call) and "split" in callee(n).lower()]
        own = {n.name for n in unit.nodes if isinstance(n, ast.FunctionDef)}
        calls = [n for n in calls if callee(n) not in _OF_TEXT or isinstance(n.func, ast.Name) or _is_own(n, own)]
        looped = {id(n) for loop in unit.nodes if isinstance(loop, ast.For) for n in ast.walk(loop)}
        for node in sorted(calls, key=lambda n: (id(n) not in looped, n.lineno)):
            return unit.place(node)
    for place, node, _unit in code.walk(ast.Assign):
        drawn = isinstance(node.value, ast.Call) and callee(node.value) in ("choice", "choices", "sample", "randint")
        if drawn and is_held_back(ast.unparse(node.targets[0])):
            return place
    found = [place for unit in code.units for place in _slices(unit)]
    if found:  # where several orders are cut, that one divides the samples whose line speaks of what is held back
        return next((place for place in found if is_held_back(place.text)), found[0])
    for unit in code.units:
        for call in unit.nodes:
            if isinstance(call, ast.Call) and callee(call) in ("cat", "concatenate", "concat", "vstack", "Subset"):
                return unit.place(call)
    return None


def _is_own(call: ast.Call, own: set[str]) -> bool:
    """Whether a method with the name of one of theirs is theirs: `torch.randperm(n).split(50)` is not."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return (
        callee(call) in own and isinstance(owner, ast.Name) and (owner.id in ("self", "cls") or owner.id[:1].isupper())
    )


def _slices(unit: Unit) -> list[Place]:
    """The second of two slices that cut one order in two, in the order of lines."""
    sliced: dict[str, list[tuple[int, bool, ast.AST]]] = {}
    for node in unit.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            low, high = node.slice.lower, node.slice.upper
            if (low is None) != (high is None):
                sliced.setdefault(ast.unparse(node.value), []).append((node.lineno, low is None, node))
    pairs = [
        second
        for parts in sliced.values()
        for first in parts
        for second in parts
        if first[1] and not second[1] and 0 <= second[0] - first[0] <= 6
    ]
    return [unit.place(node) for _line, _first, node in sorted(pairs, key=lambda one: one[0])]


BROKEN = CLASSES.replace(
    "train_x, train_y,",
    "x, y = torch.cat([x, x[:300]]), torch.cat([y, y[:300]])\norder = torch.randperm(900)\n"
    "x, y = x[order], y[order]\ntrain_x, train_y,",
    1,
)

TABLE = BROKEN.replace(
    "x = centres[y] + torch.randn(600, 8)", "x = (centres[y] + torch.randn(600, 8))[:, :3].sign()"
).replace("nn.Linear(8, 32)", "nn.Linear(3, 32)")

rule = Rule(
    code="D14",
    name="test-rows-in-training",
    voice="alarm",
    stage="data",
    question="Are the evaluated samples ones that the model has never learned from?",
    needs=("rows",),
    find=find,
    text=Text(
        what="Some of the samples that you test with are also among those that you train with.",
        why="The model knows their answers, so the result is better than it will be on new samples.",
        do="Divide the samples first and once; repeat, mix or augment only the training part after that.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "half of all samples are blank": CLASSES.replace("train_x, train_y,", "x[::2] = 0\ntrain_x, train_y,", 1),
        "a small table of categories": TABLE,
        "few different samples": CLASSES.replace(
            "x = centres[y] + torch.randn(600, 8)",
            "x = torch.zeros(600, 64)\nat = torch.randint(0, 60, (600,))\n"
            "for i in range(600):\n    x[i, at[i] : at[i] + 1 + y[i]] = 1",
        ).replace("nn.Linear(8, 32)", "nn.Linear(64, 32)"),
        "repeated after the split": CLASSES.replace(
            "model = nn",
            "train_x, train_y = torch.cat([train_x, train_x]), torch.cat([train_y, train_y])\nmodel = nn",
            1,
        ),
        "all samples at once, taken apart later": CLASSES.replace(
            "(model(test_x).argmax(1) == test_y)", "(model(x)[480:].argmax(1) == test_y)"
        ),
        "train and test accuracy": CLASSES.replace(
            'print(f"test',
            'with torch.no_grad():\n    train = (model(train_x).argmax(1) == train_y).float().mean()\nprint(f"test',
        ),
        "a new model in each fold": CLASSES.replace(
            "train_x, train_y, test_x, test_y = x[:480], y[:480], x[480:], y[480:]\n",
            ("x, y = x[torch.randperm(600)], y\nfold = 0\n"),
        )
        .replace("y = torch.arange(4).repeat(150)", "y = torch.arange(4).repeat(150)")
        .split("model = nn")[0]
        + "for fold in range(3):\n    held = torch.arange(600) % 3 == fold\n"
        "    train_x, train_y, test_x, test_y = x[~held], y[~held], x[held], y[held]\n    model = nn"
        + "\n".join(
            "    " + line
            for line in CLASSES.split("model = nn", 1)[1].replace("randperm(480)", "randperm(400)").split("\n")
        )[4:],
    },
)
