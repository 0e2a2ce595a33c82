"""R06 memory-that-grows: the process takes more memory with each step, from the first to the last."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_STEPS = 60
_PARTS = 6
_BYTES = 6_000_000  # less than that is the allocator's business
_EVEN = 0.5  # of its fair share is what each part of the training has to add: what is only filled once stops growing


def find(run: Run) -> Iterator[Finding]:
    """Memory that rises as much in the last part of a training as in the others: what is only filled once stops."""
    readings = (newest(run, "resources") or {"memory": []})["memory"]
    readings = readings[len(readings) // 3 :]  # caches fill, libraries load
    if len(readings) < 2 * _PARTS or readings[-1][0] - readings[0][0] < _STEPS:
        return
    ends = [readings[round(at * (len(readings) - 1) / _PARTS)] for at in range(_PARTS + 1)]
    grown = ends[-1][1] - ends[0][1]
    parts = [after[1] - before[1] for before, after in itertools.pairwise(ends)]
    if grown < _BYTES or min(parts) < _EVEN * grown / _PARTS:
        return
    code = Code.of(run)
    yield Finding(
        evidence=_(
            "Between step {first} and step {last} the process grew by {grown} MB, in each sixth of that by {least} MB "
            "or more.",
            first=ends[0][0],
            last=ends[-1][0],
            grown=round(grown / 1e6),
            least=round(min(parts) / 1e6, 1),
        ),
        step=ends[-1][0],
        place=_kept(code),
    )


def _kept(code: Code) -> Place | None:
    """The line that appends something other than a number to a list that outlives the step."""
    found: list[tuple[int, Place]] = []
    for place, node, _unit in code.calls("append", "add", "extend", "setdefault", "update"):
        if node.args and isinstance(node.func, ast.Attribute):
            found.append((_weight(node.args[0]), place))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _weight(node: Any) -> int:
    """How likely tensors are kept: copies before names, numbers last."""
    text = ast.unparse(node)
    if any(word in text for word in ("item()", "float(", "len(", "int(")):
        return 0
    return 2 if any(word in text for word in ("clone", "detach", "copy", "cpu()")) else 1


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 3000)
y = (x[:, 0] > 0).long()
model = nn.Linear(3000, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
seen = []
for step in range(240):
    rows = torch.randint(256, (64,))
    batch = x[rows]
    loss = nn.functional.cross_entropy(model(batch), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    seen.append(batch.clone())
"""

rule = Rule(
    code="R06",
    name="memory-that-grows",
    voice="question",
    stage="resources",
    question="Does the memory stay the same while the model trains?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The program takes more memory with each step. Is something kept that is not needed any more?",
        why="A list that holds the tensors of each batch grows until the memory is full.",
        do="Keep numbers, as loss.item() gives them, or only the newest tensors.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    seen.append(batch.clone())\n", "    seen.append(loss.item())\n"),
    lookalikes={
        "the newest ten are kept": BROKEN.replace("batch.clone())\n", "batch.clone())\n    seen = seen[-10:]\n"),
    },
)
