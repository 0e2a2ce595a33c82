"""E08 mean-of-batch-means: shares of batches of different sizes are averaged as if they were alike."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.loops import BatchLoop, batch_loops, inside, is_measure, losses_of, reads
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Means of batches, collected in a loop whose batches differ in size, and averaged after it."""
    code = Code.of(run)
    losses = losses_of(code)
    for loop in batch_loops(run, code):
        seen = loop.loader
        if seen is None or not seen["smallest"] or seen["smallest"] == seen["largest"]:
            continue
        for name, value, node in _collected(loop):
            meaning = _followed(loop, value)
            by_size = any(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) for one in ast.walk(meaning))
            if by_size or not is_measure(meaning, losses) or not _is_mean(meaning, losses):
                continue
            if not any(name in reads(one) and _averages(one, name) for one in loop.after):
                continue
            yield Finding(
                evidence=_(
                    "Batches had from {smallest} to {largest} samples, and {name} counts each batch alike.",
                    smallest=seen["smallest"],
                    largest=seen["largest"],
                    name=name,
                ),
                place=loop.unit.place(node),
            )
            break


def _collected(loop: BatchLoop) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """What the loop adds to a list or a sum."""
    for node in inside(loop.node):
        if isinstance(node, ast.Call) and callee(node) == "append" and len(node.args) == 1:
            name = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else None
            if name is not None:
                yield name, node.args[0], node
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and dotted(node.target):
            yield dotted(node.target) or "", node.value, node


def _followed(loop: BatchLoop, value: ast.expr) -> ast.expr:
    """An expression, or what the loop has given to the name that it is."""
    name = dotted(value)
    if isinstance(value, ast.Call) and callee(value) in ("item", "float") and isinstance(value.func, ast.Attribute):
        name = dotted(value.func.value)
    nodes = loop.assigned.get(name, []) if name is not None else []
    if len(nodes) == 1 and isinstance(nodes[0], ast.Assign):
        return nodes[0].value
    return value


def _is_mean(value: ast.AST, losses: set[str]) -> bool:
    calls = {callee(node).lower() for node in ast.walk(value) if isinstance(node, ast.Call)}
    summed = any(
        isinstance(node, ast.keyword) and node.arg == "reduction" and getattr(node.value, "value", "mean") != "mean"
        for node in ast.walk(value)
    )
    divided = any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) for node in ast.walk(value))
    asked = any(name in losses or name.endswith(("_loss", "cross_entropy", "accuracy", "_score")) for name in calls)
    return not summed and ("mean" in calls or divided or (asked and "sum" not in calls))


def _averages(node: ast.stmt, name: str) -> bool:
    """Whether a statement divides a sum by a number of batches, or takes the mean of a list."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and callee(one) in ("mean", "fmean", "average", "nanmean"):
            weighted = len(one.args) > 1 or any(word.arg == "weights" for word in one.keywords)
            if name in reads(one) and not weighted:
                return True
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div) and name in reads(one.left):
            below = ast.unparse(one.right)
            return below.startswith("len(") and "dataset" not in below and "sampler" not in below
        if isinstance(one, ast.AugAssign) and isinstance(one.op, ast.Div) and dotted(one.target) == name:
            below = ast.unparse(one.value)
            return below.startswith("len(") and "dataset" not in below and "sampler" not in below
    return False


BROKEN = (
    LOADERS.replace("batch_size=40", "batch_size=64")
    .replace(
        "            correct += (outputs.argmax(1) == labels).sum().item()\n            total += len(labels)\n",
        "            shares.append((outputs.argmax(1) == labels).float().mean().item())\n",
    )
    .replace("    correct, total = 0, 0\n", "    shares = []\n")
    .replace("correct / total", "sum(shares) / len(shares)")
)

rule = Rule(
    code="E08",
    name="mean-of-batch-means",
    voice="note",
    stage="review",
    question="Does each sample count alike in what is told?",
    needs=("code",),
    find=find,
    text=Text(
        what="Means of batches are averaged, although the batches are of different sizes.",
        why="A sample in a small last batch then counts more than the others, and the number is a little off.",
        do="Add up over samples, and divide by their number: correct += (...).sum(), then correct / total.",
    ),
    broken=BROKEN,
    fixed=LOADERS.replace("batch_size=40", "batch_size=64"),
    lookalikes={
        "batches of one size": BROKEN.replace("batch_size=64", "batch_size=40"),
    },
)
