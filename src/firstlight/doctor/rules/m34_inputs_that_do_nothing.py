"""M34 inputs-that-do-nothing: the output does not depend on a part of the input."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An input, or columns of one, without which every output would be the same."""
    for row in newest(run, "unused_inputs") or []:
        forgotten = _forgotten(run, row)
        if row.get("steps"):
            evidence = _(
                "No output of {model} depends on {count} of {all} steps of its input, such as number {step}.",
                model=row["class"],
                count=row["count"],
                all=row["of"],
                step=row["steps"][0],
            )
        elif row["columns"] is None:
            evidence = _("No output of {model} depends on its input number {number}.", model=row["class"],
                         number=row["input"] + 1)  # fmt: skip
        else:
            evidence = _(
                "No output of {model} depends on {count} of {all} columns of its input, such as number {column}.",
                model=row["class"],
                count=row["count"],
                all=row["of"],
                column=row["columns"][0],
            )
        if row.get("steps"):
            sure = row["unread"]  # who reads a sequence wants more of it than its first step
            line = _first_step(run, row)
            forgotten = (line, sure) if line is not None else forgotten
        else:
            sure = forgotten is not None and forgotten[1]
        yield Finding(
            evidence=evidence,
            step=row["step"],
            place=forgotten[0] if forgotten is not None else Place.from_json(row["called"]),
            voice="alarm" if sure else None,
        )


def _forwards(run: Run, row: dict[str, Any]) -> Iterator[tuple[ast.FunctionDef, Unit]]:
    """The functions `forward` of the model."""
    lines = {
        (file, line)
        for model in newest(run, "graph_models") or []
        for file, line, name in model["forwards"]
        if name == row["class"]
    }
    for _place, node, unit in Code.of(run).walk(ast.FunctionDef):
        if (unit.file, node.lineno) in lines:
            yield node, unit


def _first_step(run: Run, row: dict[str, Any]) -> Place | None:
    """Where forward takes the first step of something, as `out[:, 0]` does."""
    for node, unit in _forwards(run, row):
        for one in ast.walk(node):
            if isinstance(one, ast.Subscript) and isinstance(one.slice, ast.Tuple) and len(one.slice.elts) > 1:
                step = one.slice.elts[1]
                if isinstance(step, ast.Constant) and step.value == 0:
                    return unit.place(one)
    return None


def _forgotten(run: Run, row: dict[str, Any]) -> tuple[Place, bool] | None:
    """Where forward has a name that it never reads, and whether it gives another one to two calls in its place."""
    for node, unit in _forwards(run, row):
        given = [one.arg for one in node.args.args[1 : len(node.args.args) - len(node.args.defaults)]]
        read: dict[str, list[ast.Name]] = {}
        made: dict[str, ast.Name] = {}
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
                read.setdefault(one.id, []).append(one)
            elif isinstance(one, ast.Name):
                made.setdefault(one.id, one)
        unread = [name for name in (*given, *made) if name not in read and not name.startswith("_")]
        passed = [
            argument
            for one in ast.walk(node)
            if isinstance(one, ast.Call)
            for argument in one.args
            if isinstance(argument, ast.Name)
        ]
        for name in unread:
            # What has the same role as the one that is never read, and is read twice.
            alike = given if name in given else [other for other in made if made[other].lineno == made[name].lineno]
            for other in alike:
                uses = [one for one in passed if one.id == other]
                if other != name and len(uses) >= 2:
                    return unit.place(uses[1]), True
        if unread and unread[0] in made:
            return unit.place(made[unread[0]]), False
    return None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x[:, :4])


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M34",
    name="inputs-that-do-nothing",
    voice="question",
    stage="graph",
    question="Does the model use all that it is given?",
    needs=("unused_inputs",),
    find=find,
    text=Text(
        what="A part of the input has no influence on what the model says.",
        why="A slice, a mask or a forgotten argument keeps it out, so nothing can be learned from it.",
        do="Look at what forward does with its inputs; leave out of the data what is not to be used.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("x[:, :4]", "x").replace("nn.Linear(4, 3)", "nn.Linear(8, 3)"),
    lookalikes={
        "columns that are always zero": BROKEN.replace(
            "x, y = torch.randn(128, 8)", "x, y = torch.eye(8)[[0, 1, 2, 3] * 32]"
        ),
    },
)
