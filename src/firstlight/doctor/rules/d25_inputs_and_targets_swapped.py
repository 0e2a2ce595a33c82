"""D25 inputs-and-targets-swapped: the loop unpacks a batch in another order than the dataset gives it."""

import ast
import builtins
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit, callee
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
    feeds = newest(run, "feeds") or []
    read = {(one["place"]["file"], one["place"]["line"]) for one in feeds if one["place"] and one["learned"]}
    asked = {(one["file"], one["line"]) for one in (newest(run, "lines_run") or {}).get("calls", [])}
    made: list[tuple[int, str]] = []
    orders: list[list[ast.expr]] = []
    yields: dict[str, list[ast.expr]] = {}
    for unit in code.units:
        for node in unit.nodes:
            pair: list[ast.expr] = []
            if isinstance(node, ast.Call) and callee(node) == "TensorDataset":
                pair = node.args
            elif isinstance(node, ast.FunctionDef) and node.name == "__getitem__":
                given = [
                    n.value for n in ast.walk(node) if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)
                ]
                pair = given[-1].elts if given else []
            elif isinstance(node, ast.FunctionDef):
                given = [n.value for n in ast.walk(node) if isinstance(n, ast.Yield) and isinstance(n.value, ast.Tuple)]
                if len(given) == 1 and len(given[0].elts) == 2:
                    yields[node.name] = given[0].elts
            if len(pair) == 2:
                orders.append(pair)
            if len(pair) == 2 and (turn := _turn(pair)):
                made.append((turn, ast.unparse(pair[0])))
    for unit, loop, pair in _read_otherwise(code, orders, read, asked):
        yield Finding(
            evidence=_(
                "The dataset gives {given} first, and the loop calls the first part of a batch {first}.",
                given=ast.unparse(pair[0]),
                first=ast.unparse(_pair_of(loop)[0]),
            ),
            step=0,
            place=unit.place(loop),
            edits=_turned(unit, loop),
        )
        return
    yield from _generated(code, yields, asked)
    if not made or len({turn for turn, _name in made}) != 1:
        return  # several orders: which is read where is not sure
    for unit in code.units:
        for node in unit.nodes:
            if not isinstance(node, ast.For) or not (pair := _pair_of(node)):
                continue
            named = isinstance(node.iter, ast.Name | ast.Attribute) and "load" in ast.unparse(node.iter).lower()
            if not named and (unit.file, node.lineno) not in read:
                continue
            if _turn(pair) == -made[0][0]:
                first = ast.unparse(pair[0])
                yield Finding(
                    evidence=_(
                        "The dataset gives {given} first, and the loop calls the first part of a batch {first}.",
                        given=made[0][1], first=first,
                    ),
                    step=0,
                    place=unit.place(node),
                    edits=_turned(unit, node),
                )  # fmt: skip
                return


def _generated(code: Code, yields: dict[str, list[ast.expr]], asked: set[tuple[str, int]]) -> Iterator[Finding]:
    """A loop over a generator of the learner's, which gives the model what elsewhere is its target."""
    for unit in code.units:
        for node in unit.nodes:
            if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call) or callee(node.iter) not in yields:
                continue
            order, pair = yields[callee(node.iter)], _pair_of(node)
            if not pair:
                continue
            read = {(unit.file, node.lineno)}
            swapped = _turn(order) and _turn(order) == -_turn(pair)
            if swapped or any(loop is node for _u, loop, _o in _read_otherwise(code, [order], read, asked)):
                yield Finding(
                    evidence=_(
                        "The dataset gives {given} first, and the loop calls the first part of a batch {first}.",
                        given=ast.unparse(order[0]),
                        first=ast.unparse(pair[0]),
                    ),
                    step=0,
                    place=unit.place(node),
                    edits=_turned(unit, node),
                )
                return


def _pair_of(loop: ast.For) -> list[ast.expr]:
    """The two names that a loop gives the parts of a batch."""
    target = loop.target
    counts = isinstance(loop.iter, ast.Call) and callee(loop.iter) == "enumerate"
    if counts and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target = target.elts[1]
    return target.elts if isinstance(target, ast.Tuple | ast.List) and len(target.elts) == 2 else []


def _turned(unit: Unit, loop: ast.For) -> tuple[Edit, ...]:
    """The loop with both names in the other order."""
    first, second = (ast.unparse(one) for one in _pair_of(loop))
    text = unit.text.splitlines()[loop.lineno - 1]
    if text.count(f"{first}, {second}") != 1:
        return ()
    return (
        Edit(line=loop.lineno, old=1, file=unit.file, new=(text.replace(f"{first}, {second}", f"{second}, {first}"),)),
    )


def _read_otherwise(
    code: Code, orders: list[list[ast.expr]], read: set[tuple[str, int]], asked: set[tuple[str, int]]
) -> Iterator[tuple[Unit, ast.For, list[ast.expr]]]:
    """A loop that gives the model the part of a batch which, elsewhere, is what the model's answer is compared with."""
    words = {tuple(frozenset(words_in(ast.unparse(one))) for one in pair) for pair in orders}
    if len(words) != 1:
        return  # several orders: which is read where is not sure
    given, other = next(iter(words))
    own = given - other - {"self"}, other - given - {"self"}
    if not all(own):
        return
    loops = [
        (unit, node) for unit in code.units for node in unit.nodes
        if isinstance(node, ast.For) and (unit.file, node.lineno) in read
    ]  # fmt: skip
    for unit, loop in loops:
        pair = _pair_of(loop)
        if not pair or not all(isinstance(one, ast.Name) for one in pair):
            continue
        names = [ast.unparse(one) for one in pair]
        parts: dict[str, set[int]] = {}
        for node in ast.walk(loop):
            if isinstance(node, ast.Call) and _asks(unit, node, asked):
                held = {one.id for one in ast.walk(node.args[0]) if isinstance(one, ast.Name)}
                mine = {at for at in (0, 1) if names[at] in held}
                parts.setdefault(ast.unparse(node.func), set()).update(mine)
        inside = {id(node) for node in ast.walk(loop)}
        for called, mine in parts.items():
            if len(mine) != 1:
                continue
            elsewhere = [
                words_in(named)
                for node in unit.nodes
                if isinstance(node, ast.Call) and id(node) not in inside and _asks(unit, node, asked)
                and ast.unparse(node.func) == called and (named := _owner_of(node.args[0])) is not None
            ]  # fmt: skip
            said = {at for found in elsewhere for at in (0, 1) if found & own[at] and not found & own[1 - at]}
            if len(said) == 1 and said != mine:
                yield unit, loop, orders[0]


def _owner_of(node: ast.expr) -> str | None:
    """The name of what is given as it is or in part, `x` of `x[rows].float()`; None of what is computed."""
    while not isinstance(node, ast.Name | ast.Attribute):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return None
    return ast.unparse(node)


def _asks(unit: Unit, node: ast.Call, asked: set[tuple[str, int]]) -> bool:
    """Whether it may be the call of a model: with one thing, on a line where one was called."""
    if len(node.args) != 1 or node.keywords or callee(node) in dir(builtins):
        return False
    return any((unit.file, line) in asked for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


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
        "a test whose inputs are made of its labels": RIGHT + "with torch.no_grad():\n"
        "    model(torch.asin(y[480:].clamp(-1, 1)))\n",
        "labels first in both": RIGHT.replace("for inputs, targets in", "for targets, inputs in").replace(
            "TensorDataset(x[:480], y[:480])", "TensorDataset(y[:480], x[:480])"
        ),
    },
)
