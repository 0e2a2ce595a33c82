"""E04 last-batch-only: a measure is made anew for each batch, and what is told is that of the last one."""

import ast
from collections.abc import Callable, Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.loops import BatchLoop, batch_loops, inside, is_measure, loops_of, losses_of, reads, targets
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.told import told_otherwise
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A measure of the last batch alone: by how the loop is written, else by the number that was printed."""
    found = list(_written(run))
    yield from found or told_otherwise(run, ("last_batch",), _overwrites(Code.of(run)))


def _overwrites(code: Code) -> Callable[[ast.AST], bool]:
    """Whether a line gives a new value to what a quotient is made of, where it might have added to it."""
    parts = {
        ast.unparse(node.left)
        for _place, node, _unit in code.walk(ast.BinOp)
        if isinstance(node.op, ast.Div) and isinstance(node.left, ast.Name | ast.Attribute)
    }

    def wanted(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Assign)
            and not isinstance(node.value, ast.Constant)
            and any(ast.unparse(target) in parts for target in node.targets)
        )

    return wanted


def _written(run: Run) -> Iterator[Finding]:
    """A name that a loop over several batches gives a new measure each time, and that is used after the loop."""
    code = Code.of(run)
    losses = losses_of(code)
    yield from _left_at_once(run, code, losses)
    for loop in batch_loops(run, code):
        if loop.ends_early:
            continue
        again = _begun_again(loop)
        if again is not None:
            name, start, behind = again
            yield Finding(
                evidence=_(
                    "The loop in line {loop} gives {name} a new value in each batch; line {used} uses the last.",
                    loop=loop.node.lineno,
                    name=name,
                    used=behind.lineno,
                ),
                place=loop.unit.place(start),
                places=(loop.unit.place(behind),),
                values={"name": name},
                edits=_before(loop, start),
            )
            continue
        fresh = {
            name: nodes[0]
            for name, nodes in loop.assigned.items()
            if name in loop.fed - loop.carried and len(nodes) == 1 and isinstance(nodes[0], ast.Assign)
        }
        for name, node in fresh.items():
            value = node.value
            # A sum: nobody begins at 0 what is to be overwritten.
            begun = name in _begun_at_nothing(loop) and _adds(value)
            measures = begun or is_measure(value, losses) or _is_error(value, loop)
            if not _is_number(value) or not measures or loop.is_shown(name):
                continue
            if any(name in _names(other.value) and loop.is_shown(at) for at, other in fresh.items()):
                continue
            used = loop.used_after(name)
            if used is None or "last" in ast.unparse(used).lower() or not _is_told(used):
                continue
            most = loop.loader["most"] if loop.loader is not None else None
            yield Finding(
                evidence=_(
                    "The loop in line {loop} gives {name} a new value in each of its {count} batches; line {used} uses "
                    "the last.",
                    loop=loop.node.lineno,
                    name=name,
                    count=most,
                    used=used.lineno,
                )
                if most is not None
                else _(
                    "The loop in line {loop} gives {name} a new value in each batch; line {used} uses the last.",
                    loop=loop.node.lineno,
                    name=name,
                    used=used.lineno,
                ),
                place=loop.unit.place(node),
                places=(loop.unit.place(used),),
                values={"name": name},
                edits=_added_up(loop, fresh),
            )
            break


def _left_at_once(run: Run, code: Code, losses: set[str]) -> Iterator[Finding]:
    """A loop over a loader of several batches whose body ends with the return of a measure: of the first batch."""
    feeds = newest(run, "feeds") or []
    for unit in code.units:
        for scope in (node for node in unit.nodes if isinstance(node, ast.FunctionDef)):
            for loop, _after in loops_of(scope):
                passes = [
                    one for one in feeds
                    if one["place"] and one["place"]["file"] == unit.file and one["place"]["line"] == loop.lineno
                ]  # fmt: skip
                if not passes or any(one["batches"] != 1 or one["learned"] for one in passes):
                    continue
                if (passes[0]["length"] or 0) < 2:
                    continue
                end = loop.body[-1]
                told = reads(end.value) if isinstance(end, ast.Return) and end.value is not None else set()
                made = [node for node in inside(loop) if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr)]
                grown = {word for node in made if is_measure(node, losses) for word in _given(node)}
                if isinstance(end, ast.Return) and told & grown:
                    yield Finding(
                        evidence=_(
                            "The loop in line {loop} ends in its first batch: the return in line {used} stands inside "
                            "of it. There are {count} batches.",
                            loop=loop.lineno,
                            used=end.lineno,
                            count=passes[0]["length"],
                        ),
                        step=passes[0]["step"],
                        place=unit.place(end),
                        text=_FIRST,
                    )


def _given(node: ast.AST) -> set[str]:
    """Names that a statement gives values to, adds to, or grows."""
    found = {node.func.value for node in ast.walk(node) if isinstance(node, ast.Call) and callee(node) == "append"
             and isinstance(node.func, ast.Attribute)}  # fmt: skip
    parts = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return {one.id for part in (*parts, *found) for one in ast.walk(part) if isinstance(one, ast.Name)}


def _begun_again(loop: BatchLoop) -> tuple[str, ast.Assign, ast.stmt] | None:
    """A sum that is set to 0 at the beginning of each batch, added to, and used after the loop."""
    for node in loop.node.body:
        if not isinstance(node, ast.Assign):
            continue
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        if not all(_is_nothing(one) for one in values):
            continue
        for target in node.targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                name = ast.unparse(part)
                others = [one for one in loop.assigned.get(name, []) if one is not node]
                grown = not others and _grows(loop, name)
                added = bool(others) and all(isinstance(one, ast.AugAssign) and one in loop.node.body for one in others)
                used = loop.used_after(name)
                kept = _is_kept(loop, name) if added else False
                if (added or grown) and used is not None and not kept and _is_told(used):
                    return name, node, used
    return None


def _adds(value: ast.AST) -> bool:
    return any(isinstance(one, ast.Call) and callee(one) in ("sum", "count_nonzero") for one in ast.walk(value))


def _begun_at_nothing(loop: BatchLoop) -> set[str]:
    """Names that get a 0 in the block in which the loop stands, before it."""
    found: set[str] = set()
    for block in _blocks(loop.scope):
        if loop.node not in block:
            continue
        for node in block[: block.index(loop.node)]:
            value = getattr(node, "value", None)
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            if isinstance(node, ast.Assign) and all(isinstance(one, ast.Constant) and one.value == 0 for one in values):
                found |= targets(node)
    return found


def _blocks(scope: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(scope):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def _is_nothing(value: ast.expr) -> bool:
    """0, or a list with nothing in it."""
    return (isinstance(value, ast.Constant) and value.value == 0) or (isinstance(value, ast.List) and not value.elts)


def _grows(loop: BatchLoop, name: str) -> bool:
    """Whether each batch puts something into a list, once, and does nothing else with it."""
    uses = [node for node in inside(loop.node) if isinstance(node, ast.Name) and node.id == name]
    puts = [
        node
        for node in loop.node.body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and callee(node.value) in ("append", "extend")
        and isinstance(node.value.func, ast.Attribute)
        and ast.unparse(node.value.func.value) == name
    ]
    return len(puts) == 1 and len(uses) == 2  # where it is begun, and there


def _is_kept(loop: BatchLoop, name: str) -> bool:
    """Whether each batch hands the name on within the loop."""
    for node in inside(loop.node):
        if isinstance(node, ast.Call | ast.If | ast.While) and name in reads(node):
            return True
        if isinstance(node, ast.Assign | ast.AugAssign) and name in reads(node.value):
            return True
    return False


def _before(loop: BatchLoop, start: ast.Assign) -> tuple[Edit, ...]:
    """The line that sets to 0, moved in front of the loop."""
    lines = loop.unit.text.splitlines()
    own, line = lines[start.lineno - 1], lines[loop.node.lineno - 1]
    if start.lineno != start.end_lineno or ";" in own or len(loop.node.body) < 2:
        return ()
    indent = line[: len(line) - len(line.lstrip())]
    return (
        Edit(start.lineno, 1, (), loop.unit.file),
        Edit(loop.node.lineno, 0, (indent + own.strip(),), loop.unit.file),
    )


def _is_error(value: ast.AST, loop: BatchLoop) -> bool:
    """Whether it is a size of a difference, such as a squared error, in a sum or mean of what the batch gave."""
    sized = any(
        (isinstance(node, ast.Call) and callee(node) in ("pow", "square", "abs"))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow))
        for node in ast.walk(value)
    )
    apart = [node for node in ast.walk(value) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)]
    return sized and any(reads(node.left) & loop.fed and reads(node.right) & loop.fed for node in apart)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _is_number(value: ast.AST) -> bool:
    """Whether an expression ends in one number: a sum, a mean, a count, or what a loss gives."""
    names = {callee(node) for node in ast.walk(value) if isinstance(node, ast.Call)}
    return bool(names & {"sum", "mean", "item", "float", "int", "count_nonzero"}) or (
        isinstance(value, ast.Call) and not isinstance(value.func, ast.Subscript)
    )


def _is_told(node: ast.stmt) -> bool:
    """Whether a statement behind the loop tells or keeps a value: it decides nothing about an early end."""
    return isinstance(node, ast.Return | ast.Expr | ast.Assign | ast.AugAssign | ast.If | ast.AnnAssign)


def _added_up(loop: BatchLoop, fresh: dict[str, ast.Assign]) -> tuple[Edit, ...]:
    """Sums and counts added up over all batches, from 0; nothing where one of them is a share."""
    wanted = {name: node for name, node in fresh.items() if loop.used_after(name) is not None}
    lines = loop.unit.text.splitlines()
    edits = []
    for name, node in wanted.items():
        value = node.value
        if not _adds_up(value) or node.lineno != node.end_lineno:
            return ()
        line = lines[node.lineno - 1]
        if line.count(f"{name} = ") != 1 or ";" in line:
            return ()
        edits.append(Edit(node.lineno, 1, (line.replace(f"{name} = ", f"{name} += "),), loop.unit.file))
    if not edits:
        return ()
    line = lines[loop.node.lineno - 1]
    indent = line[: len(line) - len(line.lstrip())]
    start = Edit(loop.node.lineno, 0, (f"{indent}{' = '.join(wanted)} = 0",), loop.unit.file)
    return (*edits, start)


def _adds_up(value: ast.AST) -> bool:
    """Whether what each batch gives may be added: a sum or a number of samples, no mean."""
    calls = {callee(node) for node in ast.walk(value) if isinstance(node, ast.Call)}
    divided = any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) for node in ast.walk(value))
    counted = calls & {"sum", "len", "size", "numel", "count_nonzero"} or any(
        isinstance(node, ast.Attribute) and node.attr == "shape" for node in ast.walk(value)
    )
    return bool(counted) and "mean" not in calls and not divided


_FIRST = Text(
    what="The measure is that of the first batch only: the loop is left before it comes to the others.",
    why="One batch is a few samples. What is told of it says little of the rest.",
    do="Move the return out of the loop: as far to the left as the for is.",
)
_SUMS = """\
            correct += (outputs.argmax(1) == labels).sum().item()
            total += len(labels)
"""
BROKEN = LOADERS.replace(_SUMS, _SUMS.replace("+=", "="))

rule = Rule(
    code="E04",
    name="last-batch-only",
    voice="alarm",
    stage="evaluation",
    question="Do measures count all batches?",
    needs=("code",),
    find=find,
    text=Text(
        what="{name} is that of the last batch only: each batch writes over what the one before gave.",
        why="The last batch is a few samples, often fewer than the others. What is told of it says little of the rest.",
        do="Add up over the batches (+=) from 0, and divide after the loop by the number of samples.",
    ),
    broken=BROKEN,
    fixed=LOADERS,
    lookalikes={
        "a running value made of sums": LOADERS.replace(
            _SUMS, _SUMS + "            accuracy = correct / total\n"
        ).replace("{correct / total:.3f}", "{accuracy:.3f}"),
        "a share for each batch, kept in a list": LOADERS.replace(
            _SUMS,
            "            share = (outputs.argmax(1) == labels).float().mean().item()\n"
            "            shares.append((share, len(labels)))\n",
        )
        .replace("    correct, total = 0, 0\n", "    shares = []\n")
        .replace("{correct / total:.3f}", "{sum(s * n for s, n in shares) / sum(n for _, n in shares):.3f}"),
        "a loop over epochs": LOADERS.replace("    print(", "    accuracy = correct / total\n    print(")
        + "print(accuracy)\n",
        "all of the test set is one batch": BROKEN.replace("batch_size=40", "batch_size=160"),
    },
)
