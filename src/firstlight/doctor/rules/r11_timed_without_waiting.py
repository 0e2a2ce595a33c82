"""R11 timed-without-waiting: a clock is read while a GPU still computes."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import dotted, spot_of
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_CLOCKS = ("time", "perf_counter", "monotonic", "process_time", "perf_counter_ns", "time_ns", "default_timer")
_WAITS = ("synchronize", "item", "tolist", "cpu", "numpy", "elapsed_time", "print")
_ON_GPU = ("cuda", "mps")


def find(run: Run) -> Iterator[Finding]:
    """A time is taken around calls of a model on a GPU, and nothing waits for the GPU before the second reading."""
    code = Code.of(run)
    seen = newest(run, "lines_run") or {"devices": [], "calls": []}
    there = bool(set(seen["devices"]) & set(_ON_GPU))
    if not there and not _speaks_of_gpus(code):
        return
    called = {(one["file"], one["line"]) for one in seen["calls"]}
    for unit in code.units:
        for block in _blocks(unit.tree):
            for at, first in enumerate(block):
                name = _reads_clock(first)
                if name is None:
                    continue
                for later, second in enumerate(block[at + 1 :], at + 1):
                    if not _ends(second, name):
                        continue
                    between = block[at + 1 : later]
                    lines = {line for one in between for line in range(one.lineno, (one.end_lineno or one.lineno) + 1)}
                    works = any((unit.file, line) in called for line in lines)
                    waits = any(
                        isinstance(one, ast.Call) and callee(one) in _WAITS
                        for node in [*between, second]
                        for one in ast.walk(node)
                    )
                    if works and not waits:
                        place = unit.place(second)
                        spot = spot_of(code, place)
                        edits: tuple[Edit, ...] = ()
                        if there and spot is not None and spot.alone and "cuda" in seen["devices"]:
                            edits = (spot.before("torch.cuda.synchronize()"),)
                        yield Finding(
                            evidence=_(
                                "Lines {first} and {second} read the clock around a model's work, and nothing between "
                                "waits for the GPU.",
                                first=first.lineno,
                                second=second.lineno,
                            ),
                            place=place,
                            places=(unit.place(first),),
                            voice="alarm" if there else "question",
                            edits=edits,
                        )
                        return
                    break


def _speaks_of_gpus(code: Code) -> bool:
    words = {node.value for _place, node, _unit in code.walk(ast.Constant) if isinstance(node.value, str)}
    return any(word.split(":")[0] in _ON_GPU for word in words) or next(code.calls("cuda"), None) is not None


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _is_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and callee(node) in _CLOCKS and not node.args


def _reads_clock(node: ast.stmt) -> str | None:
    """The name that `start = time.time()` gives."""
    if isinstance(node, ast.Assign) and _is_clock(node.value) and len(node.targets) == 1:
        return dotted(node.targets[0])
    return None


def _ends(node: ast.stmt, name: str) -> bool:
    """Whether a statement reads the clock again and takes the first reading off."""
    return any(
        isinstance(one, ast.BinOp) and isinstance(one.op, ast.Sub) and _is_clock(one.left) and dotted(one.right) == name
        for one in ast.walk(node)
    )


BROKEN = """\
import time

import torch
from torch import nn

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
x = torch.randn(128, 8).to(device)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)).to(device).eval()
with torch.no_grad():
    start = time.perf_counter()
    for _ in range(20):
        scores = model(x)
    seconds = time.perf_counter() - start
print(f"{seconds:.4f} s")
"""

rule = Rule(
    code="R11",
    name="timed-without-waiting",
    voice="alarm",
    stage="resources",
    question="Does a clock wait for the GPU?",
    needs=("lines_run",),
    find=find,
    text=Text(
        what="A time is taken of work on a GPU without waiting until it is done.",
        why="PyTorch hands work to a GPU and goes on. The clock then shows how long handing over took.",
        do="Call torch.cuda.synchronize() before each reading of the clock.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    seconds =", "    if device == 'cuda':\n        torch.cuda.synchronize()\n    seconds ="),
    lookalikes={
        "on the CPU": BROKEN.replace('"cuda" if torch.cuda.is_available() else "cpu"', '"cpu"'),
        "something waits by itself": BROKEN.replace("scores = model(x)", "scores = model(x).sum().item()"),
    },
)
