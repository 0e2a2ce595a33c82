"""D08 channels-by-view: pictures with colours last are given a shape with colours first, and not turned."""

import ast
import re
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A convolution over colours, whose input is most alike as many places apart as there are colours."""
    seen = (newest(run, "trials") or {}).get("pictures")
    # Where colours alternate, every third value has a mean of its own. Along a row of one colour, every third value is
    # as good as any: that share stays near nothing, as it does for distances that no picture has.
    if seen is None or seen["share"] < 0.03 or seen["share"] < 5 * seen["other"]:
        return
    code = Code.of(run)
    place, edits = _view(code, seen["channels"])
    yield Finding(
        evidence=_(
            "{share} of the spread of a picture lies between every {channels} values, as where colours alternate; "
            "with other distances it is {other}.",
            share=f"{seen['share']:.1%}",
            channels=seen["channels"],
            other=f"{seen['other']:.1%}",
        ),
        step=seen["step"],
        place=place,
        edits=edits,
        voice=None if place is not None else "question",
        check="import matplotlib.pyplot as plt\nplt.imshow(inputs[0].permute(1, 2, 0))",
    )


def _view(code: Code, channels: int) -> tuple[Place | None, tuple[Edit, ...]]:
    for unit in code.units:
        for node in ast.walk(unit.tree):
            if not isinstance(node, ast.Call) or callee(node) not in ("view", "reshape"):
                continue
            sizes = [ast.unparse(one) for one in node.args]
            if len(sizes) == 1 and isinstance(node.args[0], ast.Tuple | ast.List):
                sizes = [ast.unparse(one) for one in node.args[0].elts]
            if len(sizes) == 5:
                sizes = sizes[1:]
            if len(sizes) != 4 or sizes[1] != str(channels):
                continue
            text = unit.text.splitlines()[node.lineno - 1]
            inside = re.escape(sizes[0]) + r",\s*" + r",\s*".join(re.escape(one) for one in sizes[1:])
            found = re.findall(rf"\.{callee(node)}\(\s*[\(\[]?{inside}[\)\]]?\s*\)", text)
            edits: tuple[Edit, ...] = ()
            if len(found) == 1:
                turned = f".reshape({sizes[0]}, {sizes[2]}, {sizes[3]}, {sizes[1]}).permute(0, 3, 1, 2)"
                edits = (Edit(line=node.lineno, old=1, new=(text.replace(found[0], turned),), file=unit.file),)
            return unit.place(node), edits
    return None, ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
t = torch.arange(16.0)
y = torch.randint(2, (300,))
k = y[:, None, None]
wave = torch.sin(t[None, :, None] * k + t[None, None, :] * (1 - k) + 6 * torch.rand(300, 1, 1))
x = (wave[..., None] * torch.rand(300, 1, 1, 3) + torch.rand(300, 1, 1, 3)) * 1.0
model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for rows in torch.randperm(300).split(30):
    pictures = x[rows].view(-1, 3, 16, 16)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(pictures), y[rows]).backward()
    optimizer.step()
"""

rule = Rule(
    code="D08",
    name="channels-by-view",
    voice="alarm",
    stage="data",
    question="Do pictures keep their rows and colours where their shape is changed?",
    needs=("trials",),
    find=find,
    text=Text(
        what="Pictures with colours last were only given another shape, so rows and colours are mixed up.",
        why="view and reshape keep the order in memory: they cut the numbers anew, and move no colour to the front.",
        do="Use pictures.permute(0, 3, 1, 2), which turns the dimensions around.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".view(-1, 3, 16, 16)", ".permute(0, 3, 1, 2)"),
    lookalikes={
        "flat rows with colours first": BROKEN.replace("x[rows].view", "x.permute(0, 3, 1, 2).flatten(1)[rows].view"),
        "pictures of noise": BROKEN.replace("x[rows].view", "torch.randn(30, 768).view"),
    },
    explains=("M22",),
)
