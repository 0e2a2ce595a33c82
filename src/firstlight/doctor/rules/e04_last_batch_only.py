"""E04 last-batch-only: a measure is made anew for each batch, and what is told is that of the last one."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.loops import BatchLoop, batch_loops, is_measure, losses_of
from firstlight.doctor.rule import Edit, Finding, Rule
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A name that a loop over several batches gives a new measure each time, and that is used after the loop."""
    code = Code.of(run)
    losses = losses_of(code)
    for loop in batch_loops(run, code):
        if loop.ends_early:
            continue
        fresh = {
            name: nodes[0]
            for name, nodes in loop.assigned.items()
            if name in loop.fed - loop.carried and len(nodes) == 1 and isinstance(nodes[0], ast.Assign)
        }
        for name, node in fresh.items():
            value = node.value
            if not _is_number(value) or not is_measure(value, losses) or loop.is_shown(name):
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
