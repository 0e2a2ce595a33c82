"""M27 target-of-another-shape: outputs (N, 1) and targets (N,) make N times N differences."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, call_at, instead, loss_line
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.warned import sizes_differ
from firstlight.locale import Text, _
from firstlight.run import Run

_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


def find(run: Run) -> Iterator[Finding]:
    """A model's column of outputs that broadcasting makes a square before the loss takes its mean."""
    found = list(_heard(run))  # else what PyTorch warns of
    yield from found or sizes_differ(run)


def _heard(run: Run) -> Iterator[Finding]:
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] != "spread" or row["times"] < 2:
            continue
        count, column = row["shape"][0], len(row["shape"]) == 2
        place = loss_line(run, row)
        yield Finding(
            evidence=_(
                "The model gave {shape}; what the loss took its mean of was ({count}, {count}).",
                shape=str(tuple(row["shape"])),
                count=count,
            ),
            step=row["step"],
            place=place,
            edits=_squeezed(run, place, column=column),
            check="print(output.shape, target.shape)  # they must be equal",
        )


def _squeezed(run: Run, place: Place | None, *, column: bool) -> tuple[Edit, ...]:
    """The change that gives the loss a row instead of a column: of the output, or of the target."""
    code = Code.of(run)
    names = {*_LOSSES, *_criteria(code)}
    found = call_at(code, place, names)
    if found is not None:
        _place, call, unit = found
        node = argument(call, "input", 0) if column else argument(call, "target", 1)
    elif column:
        side = _output(run, code, place)
        if side is None:
            return ()
        unit, node = side
    else:
        return ()
    text = ast.get_source_segment(unit.text, node) if node is not None else None
    if node is None or not text:
        return ()
    plain = isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
    return instead(unit, node, f"{text}.squeeze(-1)" if plain else f"({text}).squeeze(-1)")


def _output(run: Run, code: Code, place: Place | None) -> tuple[Unit, ast.expr] | None:
    """The side of a difference that is what the model gave: its call, or the name that its call was assigned to."""
    called = [model["called"] for model in newest(run, "graph_models") or [] if model["called"]]
    lines = {(one["file"], one["line"]) for one in called}
    names = {
        target.id
        for at, node, _unit in code.walk(ast.Assign)
        if (at.file, at.line) in lines
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for at, node, unit in code.walk(ast.BinOp):
        if place is None or (at.file, at.line) != (place.file, place.line) or not isinstance(node.op, ast.Sub):
            continue
        for side in (node.left, node.right):
            is_call = isinstance(side, ast.Call) and (at.file, side.lineno) in lines
            if is_call or (isinstance(side, ast.Name) and side.id in names):
                found.append((unit, side))
    return found[0] if len(found) == 1 else None


def _criteria(code: Code) -> list[str]:
    """What the learner calls the losses that they have made."""
    made = ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
    found = []
    for _place, node, _unit in code.walk(ast.Assign):
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func).rsplit(".", 1)[-1] in made:
            found += [ast.unparse(target).rsplit(".", 1)[-1] for target in node.targets]
    return found


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randn(128)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 1)

    def forward(self, x):
        return self.fc(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("((model(x) - y) ** 2).mean()", "nn.functional.mse_loss(model(x).squeeze(-1), y)")

rule = Rule(
    code="M27",
    name="target-of-another-shape",
    voice="alarm",
    stage="graph",
    question="Have outputs and targets the same shape?",
    needs=("loss_heads", "warnings"),
    find=find,
    text=Text(
        what="Outputs and targets have different shapes, and PyTorch spreads them into a square.",
        why="Each output is then compared with the targets of all samples, so the best that the model can learn is "
        "their mean.",
        do="Give both the same shape, for example with output.squeeze(-1), before the loss.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "both are columns": FIXED.replace("torch.randn(128)", "torch.randn(128, 1)").replace(".squeeze(-1)", ""),
        "all pairs on purpose": FIXED.replace(
            "nn.functional.mse_loss(model(x).squeeze(-1), y)",
            "torch.relu(1 - (out.unsqueeze(1) - out.unsqueeze(0)) * (y[:, None] - y[None, :]).sign()).mean()",
        ).replace("    loss =", "    out = model(x).squeeze(-1)\n    loss ="),
        "quantiles against one output": FIXED.replace(
            "nn.functional.mse_loss(model(x).squeeze(-1), y)", "(model(x) - torch.randn(128, 5)).abs().mean()"
        ),
    },
    explains=("M31", "L14"),
)
