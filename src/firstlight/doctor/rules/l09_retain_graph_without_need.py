"""L09 retain-graph-without-need: every backward pass keeps its graph, and none goes through it again."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import calls_in, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """retain_graph at nearly all backward passes, and in those that were examined no node was used twice."""
    passes = newest(run, "passes") or {}
    if passes.get("retained", 0) < 10 or passes["retained"] < 0.9 * passes["backwards"]:
        return
    if passes["examined"] < 3 or passes["shared"]:
        return
    place = Place.from_json(passes["retained_place"])
    yield Finding(
        evidence=_(
            "{count} of {backwards} backward passes kept their graph. {examined} of them were examined: "
            "no other backward pass came through them.",
            count=passes["retained"],
            backwards=passes["backwards"],
            examined=passes["examined"],
        ),
        step=passes["retained_step"],
        place=place,
        edits=_plain(Code.of(run), place),
    )


def _plain(code: Code, place: Place | None) -> tuple[Edit, ...]:
    spot = spot_of(code, place)
    if spot is None or not spot.alone:
        return ()
    calls = calls_in(spot.node, "backward")
    if len(calls) != 1 or len(calls[0].keywords) != 1 or calls[0].args:
        return ()
    text = ast.get_source_segment(spot.unit.text, calls[0])
    edit = spot.replaced(text, f"{ast.unparse(calls[0].func)}()") if text else None
    return (edit,) if edit is not None else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
"""

rule = Rule(
    code="L09",
    name="retain-graph-without-need",
    voice="alarm",
    stage="resources",
    question="Is a graph kept only where it is used again?",
    needs=("passes",),
    find=find,
    text=Text(
        what="retain_graph=True keeps the graph of every step, and nothing uses it.",
        why="It is needed only where two backward passes go through one graph. Kept without need, it costs memory.",
        do="Call backward() without retain_graph. If that fails, look for a value carried over from the step before.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("retain_graph=True", ""),
    lookalikes={
        "two losses share a graph": BROKEN.replace(
            "    loss = nn.functional.cross_entropy(model(x), y)\n",
            "    out = model(x)\n    loss = nn.functional.cross_entropy(out, y)\n",
        ).replace("    optimizer.step()", "    (out**2).mean().backward()\n    optimizer.step()"),
        "two losses share a graph, and both keep it": BROKEN.replace(
            "    loss = nn.functional.cross_entropy(model(x), y)\n",
            "    out = model(x)\n    loss = nn.functional.cross_entropy(out, y)\n",
        ).replace("    optimizer.step()", "    (out**2).mean().backward(retain_graph=True)\n    optimizer.step()"),
    },
)
