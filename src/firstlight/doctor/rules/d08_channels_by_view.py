"""D08 channels-by-view: pictures with colours last are given a shape with colours first, and not turned."""

import ast
import re
from collections.abc import Iterator
from typing import Any

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
    if seen is None:
        return
    by_share = seen["share"] >= 0.03 and seen["share"] >= 5 * seen["other"]
    if not by_share and not _next_is_far(seen):
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
        )
        if by_share
        else _(
            "Values that lie {channels} places apart are more alike ({far}) than those one place further on ({near}), "
            "as where colours alternate.",
            channels=seen["channels"],
            far=f"{seen['alike'][str(seen['channels'])]:.3f}",
            near=f"{seen['alike'][str(seen['channels'] + 1)]:.3f}",
        ),
        step=seen["step"],
        place=place,
        edits=edits,
        voice=None if place is not None else "question",
        check="import matplotlib.pyplot as plt\nplt.imshow(inputs[0].permute(1, 2, 0))",
    )


def _next_is_far(seen: dict[str, Any]) -> bool:
    """Whether values go together at every so many places as there are colours, and less so one place to either side.

    That comb is seen whatever the colours have in common; a picture with colours first goes down smoothly along its
    rows, also some rows below. And the value below must lie so many rows on: stripes that come again after three places
    have a comb too, but the next row is the next row. Five times what chance gives.
    """
    alike, channels, width = seen["alike"], seen["channels"], seen["shape"][-1]
    row = channels * width
    teeth = [channels, 2 * channels, 3 * channels, *(row + side * k * channels for side in (-1, 1) for k in (1, 2))]
    comb = [alike[str(at)] - (alike[str(at - 1)] + alike[str(at + 1)]) / 2 for at in teeth]
    chance = 5 / seen["numbers"] ** 0.5
    below = alike[str(row)] - alike[str(width)]
    return bool(
        sum(comb) / len(comb) > max(0.01, chance * (1.5 / len(comb)) ** 0.5)
        and below > chance
        and alike["1"] > -0.25 * alike[str(channels)]
    )


def _view(code: Code, channels: int) -> tuple[Place | None, tuple[Edit, ...]]:
    counts = _counts_of_colours(code, channels)
    for unit in code.units:
        for node in unit.nodes:
            if not isinstance(node, ast.Call) or callee(node) not in ("view", "reshape"):
                continue
            sizes = [ast.unparse(one) for one in node.args]
            if len(sizes) == 1 and isinstance(node.args[0], ast.Tuple | ast.List):
                sizes = [ast.unparse(one) for one in node.args[0].elts]
            if len(sizes) == 2 and isinstance(node.args[1], ast.Tuple | ast.List):  # numpy.reshape(pictures, sizes)
                sizes = [ast.unparse(one) for one in node.args[1].elts]
            if len(sizes) == 5:
                sizes = sizes[1:]
            if len(sizes) == 3 and sizes[0] in counts and sizes[2] not in counts:
                return unit.place(node), ()  # one picture
            if len(sizes) != 4 or sizes[1] not in counts:
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


def _counts_of_colours(code: Code, channels: int) -> set[str]:
    """What stands for the number of colours: the number, a name of it, or the last size of a picture."""
    found = {str(channels)}
    for _place, node, _unit in code.walk(ast.Assign):
        target, value = node.targets[0], node.value
        if isinstance(value, ast.Constant) and value.value == channels:
            found.add(ast.unparse(target))
        elif isinstance(target, ast.Tuple) and len(target.elts) in (3, 4):
            if (isinstance(value, ast.Attribute) and value.attr == "shape") or _is_size(value):
                found.add(ast.unparse(target.elts[-1]))
            elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
                pairs = zip(target.elts, value.elts, strict=True)
                found |= {ast.unparse(a) for a, b in pairs if isinstance(b, ast.Constant) and b.value == channels}
        elif isinstance(value, ast.Subscript) and ast.unparse(value).endswith((".shape[-1]", ".shape[3]")):
            found.add(ast.unparse(target))
    return found


def _is_size(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and callee(value) == "size" and not value.args


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

# Noise hides the colours, not the neighbours. (Colours of the same mean, so that the shares of the spread say nothing.)
NOISY = BROKEN.replace(
    "* torch.rand(300, 1, 1, 3) + torch.rand(300, 1, 1, 3)) * 1.0",
    "* torch.eye(3)[torch.randint(3, (300,))][:, None, None] + 0.8 * torch.randn(300, 16, 16, 3))",
)
STRIPES = NOISY.replace("x[rows].view(-1, 3, 16, 16)", "x[rows].permute(0, 3, 1, 2)")

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
        "noisy pictures, turned": STRIPES,
        "stripes that come again after three": STRIPES.replace(
            "t[None, :, None] * k", "2.0944 * t[None, :, None]"
        ).replace("t[None, None, :] * (1 - k)", "2.0944 * t[None, None, :] * (2 * k - 1)"),
        "pictures of noise": BROKEN.replace("x[rows].view", "torch.randn(30, 768).view"),
    },
    explains=("M22",),
)
