"""M29 forward-called-by-name: a model is run through its `forward`, past everything that hangs on a call."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import dotted
from firstlight.doctor.pointing import instead
from firstlight.doctor.rule import Finding, Rule
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Calls of `something.forward(...)`, where the something is an object of the learner's."""
    code = Code.of(run)
    found = []
    for place, call, unit in code.calls("forward"):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        name = dotted(owner) if owner is not None else None
        if name is None or name.rsplit(".", 1)[-1][:1].isupper() or name in ("cls", "super"):
            continue  # `super().forward(x)` and `Net.forward(self, x)` are how a class extends another
        if name == "self" and not any(isinstance(one, ast.Name) for one in call.args):
            continue
        found.append((place, call, unit))
    if not found:
        return
    place, call, unit = found[0]
    yield Finding(
        evidence=_("{count} calls go to forward by its name, the first as {text}.", count=len(found), text=place.text),
        place=place,
        places=tuple(one[0] for one in found[1:4]),
        edits=tuple(
            edit
            for _place, one, at in found
            if isinstance(one.func, ast.Attribute)
            for edit in instead(at, one.func, ast.unparse(one.func.value))
        )
        if len({(at.file, one.lineno) for _place, one, at in found}) == len(found)
        else (),
    )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model.forward(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M29",
    name="forward-called-by-name",
    voice="note",
    stage="review",
    question="Are models called as functions?",
    needs=("code",),
    find=find,
    text=Text(
        what="A model is run with model.forward(x) instead of model(x).",
        why="The numbers are the same, but hooks are passed over: tools that watch the model do not see this call.",
        do="Write model(x).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("model.forward(x)", "model(x)"),
    lookalikes={
        "a class that extends another": BROKEN.replace("model.forward(x)", "model(x)").replace(
            "model = nn.Linear(8, 3)",
            "class Doubled(nn.Linear):\n    def forward(self, x):\n        return 2 * super().forward(x)\n\n\n"
            "model = Doubled(8, 3)",
        ),
    },
)
