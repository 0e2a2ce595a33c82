"""E09 divided-by-the-wrong-count: right answers are counted in samples and divided by batches, or the other way."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.loops import reads
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import is_training, replaced
from firstlight.doctor.told import told_otherwise
from firstlight.locale import Text, _
from firstlight.run import Run

_WRONG = ("batches", "batches_times_size", "dataset", "training", "shares_by_rows")


def find(run: Run) -> Iterator[Finding]:
    """A sum of right answers over a loop, divided by how often the loop turned; or a sum of shares, by samples."""
    sizes = [use["size"] for one in newest(run, "inputs") or [] for use in one["evaluation"]]
    sizes = sizes or [one["shape"][0] for one in newest(run, "inputs") or [] if one["shape"]]
    if not sizes or max(sizes) < 2:
        return
    step = next((use["step"] for one in newest(run, "inputs") or [] for use in one["evaluation"]), None)
    code = Code.of(run)
    feeds = newest(run, "feeds") or []
    trained = _learned_from(code)
    found = False
    for unit in code.units:
        for scope in [n for n in unit.nodes if isinstance(n, ast.FunctionDef)] + [unit.tree]:
            for node, name, what, loop in _quotients(scope):
                found = True
                yield Finding(
                    evidence=(
                        _("{name} counts right answers, and {what} counts batches.", name=name, what=what)
                        if loop else
                        _("{name} adds shares of batches, and {what} counts samples.", name=name, what=what)
                    ),
                    step=step,
                    place=unit.place(node),
                    edits=_edits(unit, node, what) if loop else (),
                )  # fmt: skip
            for node, name, what in _others(unit, scope, feeds, trained):
                found = True
                yield Finding(
                    evidence=_(
                        "{name} counts right answers among other samples than those that {what} counts.",
                        name=name,
                        what=what,
                    ),
                    step=step,
                    place=unit.place(node),
                    text=_OTHERS,
                )
    if not found:
        yield from told_otherwise(run, _WRONG, _divides_by_a_length)


def _divides_by_a_length(node: ast.AST) -> bool:
    """Whether it divides by how many there are of something."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and "len(" in ast.unparse(node.right)


def _learned_from(code: Code) -> set[str]:
    """Names that loops read in which something goes backward."""
    found: set[str] = set()
    for _place, loop, _unit in code.walk(ast.For):
        if any(isinstance(node, ast.Call) and callee(node) == "backward" for node in ast.walk(loop)):
            found |= reads(loop)
    return found


def _others(
    unit: Unit, scope: ast.AST, feeds: list[dict[str, Any]], trained: set[str]
) -> Iterator[tuple[Any, str, str]]:
    """Right answers of one set of samples, divided by the size of another."""
    matches = _matches(scope)
    for loop in _own(scope):
        if not isinstance(loop, ast.For) or any(
            isinstance(one, ast.Call) and callee(one) in ("backward", "step") for one in ast.walk(loop)
        ):
            continue
        sums = _summed(loop, matches)[0]
        if not sums:
            continue
        passes = [
            one for one in feeds
            if one["place"] and one["place"]["file"] == unit.file and one["place"]["line"] == loop.lineno
        ]  # fmt: skip
        over = next((node for node in ast.walk(loop.iter) if isinstance(node, ast.Name | ast.Attribute)), None)
        loader = ast.unparse(loop.iter.args[0] if isinstance(loop.iter, ast.Call) and loop.iter.args else loop.iter)
        # A pass that came to its end, and to less than nine tenths of the dataset: a part of it was asked for.
        part = bool(passes) and all(one["ended"] and one["rows"] < 0.9 * one.get("all", 0) for one in passes)
        seen = reads(loop) | reads(loop.iter)
        for node in _own(scope):
            if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div) or node.lineno < loop.lineno:
                continue
            name, what = _name(node.left), ast.unparse(node.right)
            if name not in sums or over is None:
                continue
            if part and what == f"len({loader}.dataset)":
                yield node, name, what
            elif not passes and isinstance(node.right, ast.Call) and callee(node.right) == "len" and node.right.args:
                of = dotted(node.right.args[0])
                if of is not None and of in trained and of not in seen and is_training(of):
                    yield node, name, what


def _edits(unit: Unit, node: Any, what: str) -> Any:
    if not what.startswith("len("):
        return ()
    return replaced(unit, node.lineno, what, f"{what[:-1]}.dataset)")


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function or module, without the functions inside."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _own(node)


def _quotients(scope: ast.AST) -> Iterator[tuple[Any, str, str, bool]]:
    matches = _matches(scope)
    for loop in _own(scope):
        if not isinstance(loop, ast.For):
            continue
        over = loop.iter
        counter = None
        if isinstance(over, ast.Call) and callee(over) == "enumerate" and over.args:
            counter = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else None
            over = over.args[0]
        if isinstance(over, ast.Call) and callee(over) in ("tqdm", "track") and over.args:
            over = over.args[0]
        if not isinstance(over, ast.Name | ast.Attribute):
            continue
        loader = ast.unparse(over)
        sums, shares, turns = _summed(loop, matches)
        for node in _own(scope):
            if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
                continue
            name, below = _name(node.left), node.right
            what = ast.unparse(below)
            if name in sums and (what == f"len({loader})" or what in turns or _is_turn(below, counter)):
                yield node, name, what, True
            elif name in shares and what == f"len({loader}.dataset)":
                yield node, name, what, False


def _matches(scope: ast.AST) -> set[str]:
    """Names that hold which answers are right."""
    return {
        ast.unparse(node.targets[0])
        for node in _own(scope)
        if isinstance(node, ast.Assign) and _compares(node.value, set()) and not _calls(node.value, "sum", "mean")
    }


def _summed(loop: ast.For, matches: set[str]) -> tuple[set[str], set[str], set[str]]:
    """What a loop adds up: right answers, shares of batches, its own turns."""
    sums, shares, turns = set(), set(), set()
    for node in ast.walk(loop):
        if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add):
            continue
        name = ast.unparse(node.target)
        if isinstance(node.value, ast.Constant) and node.value.value == 1 and node in loop.body:
            turns.add(name)
        elif _compares(node.value, matches) and _calls(node.value, "mean"):
            if not _weighs(node.value):
                shares.add(name)
        elif _compares(node.value, matches) and _counts(node.value):
            sums.add(name)
    return sums, shares, turns


def _weighs(node: ast.AST) -> bool:
    """Whether something is multiplied with a number that is not written down: a share, with the samples it is of."""
    products = [one for one in ast.walk(node) if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult)]
    return any(not isinstance(one.left, ast.Constant) and not isinstance(one.right, ast.Constant) for one in products)


def _is_turn(node: ast.AST, counter: ast.AST | None) -> bool:
    if counter is None or not isinstance(node, ast.BinOp):
        return False
    return ast.unparse(node) in (f"{ast.unparse(counter)} + 1", f"1 + {ast.unparse(counter)}")


def _name(node: ast.AST) -> str:
    """The sum that is divided: itself, times 100, as a number."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _name(node.right if isinstance(node.left, ast.Constant) else node.left)
    if isinstance(node, ast.Call):
        if callee(node) in ("item", "float", "double", "cpu") and isinstance(node.func, ast.Attribute):
            return _name(node.func.value)
        if callee(node) in ("float", "int") and node.args:
            return _name(node.args[0])
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _compares(node: ast.AST, matches: set[str]) -> bool:
    for one in ast.walk(node):
        if isinstance(one, ast.Compare) and any(isinstance(op, ast.Eq) for op in one.ops):
            return True
        if isinstance(one, ast.Call) and callee(one) == "eq":
            return True
        if isinstance(one, ast.Name) and one.id in matches:
            return True
    return False


def _counts(node: ast.AST) -> bool:
    divided = any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div) for one in ast.walk(node))
    return _calls(node, "sum", "count_nonzero") and not divided


def _calls(node: ast.AST, *names: str) -> bool:
    return any(isinstance(one, ast.Call) and callee(one) in names for one in ast.walk(node))


_OTHERS = Text(
    what="The accuracy divides by the wrong count.",
    why="Right answers among some samples, divided by the number of others, are no share of either.",
    do="Divide the right answers by the number of samples that were looked at, counted in the same loop.",
)
BROKEN = LOADERS.replace("{correct / total:.3f}", "{correct / len(test_loader):.3f}")

rule = Rule(
    code="E09",
    name="divided-by-the-wrong-count",
    voice="alarm",
    stage="evaluation",
    question="Is a count of samples divided by a count of samples?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="The accuracy divides by the wrong count.",
        why="len(loader) counts batches, len(loader.dataset) counts samples; one over the other is no share.",
        do="Divide the right answers by the number of samples that were looked at, counted in the same loop.",
    ),
    broken=BROKEN,
    fixed=LOADERS,
    lookalikes={
        "the mean of the batches' shares": LOADERS.replace(".sum().item()", ".float().mean().item()").replace(
            "correct / total", "correct / len(test_loader)"
        ),
        "shares of batches, each times its samples": LOADERS.replace(
            ".sum().item()", ".float().mean().item() * len(labels)"
        ).replace("correct / total", "correct / len(test_loader.dataset)"),
        "samples of a dataset": LOADERS.replace("correct / total", "correct / len(test_loader.dataset)"),
        "one sample in each batch of the test": BROKEN.replace("batch_size=40", "batch_size=1"),
        "one sample in each batch": BROKEN.replace("batch_size=40", "batch_size=1")
        .replace("batch_size=20, shuffle", "batch_size=1, shuffle")
        .replace("range(3)", "range(1)"),
    },
)
