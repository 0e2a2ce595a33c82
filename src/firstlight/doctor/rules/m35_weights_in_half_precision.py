"""M35 weights-in-half-precision: weights are kept and stepped in float16."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A root that learns and whose weights are float16."""
    for model in newest(run, "weights") or []:
        if "float16" in model["types"]:
            yield Finding(
                evidence=_(
                    "{model} has weights of type {types}.", model=model["class"], types=", ".join(model["types"])
                ),
                step=0,
                place=Place.from_json(model["called"]),
            )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Linear(8, 3).half()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x.half()).float(), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M35",
    name="weights-in-half-precision",
    voice="question",
    stage="graph",
    question="Are the weights precise enough for small steps?",
    needs=("weights",),
    find=find,
    text=Text(
        what="The weights are trained in float16.",
        why="A step below a thousandth of a weight is lost in rounding, and gradients below 0.00000006 become zero.",
        do="Keep the weights in float32 and compute with torch.autocast, or use bfloat16.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".half()", ""),
    lookalikes={
        "autocast": BROKEN.replace(".half()", "").replace(
            "    loss = nn.functional.cross_entropy(model(x).float(), y)",
            "    with torch.autocast('cpu', dtype=torch.bfloat16):\n"
            "        loss = nn.functional.cross_entropy(model(x).float(), y)",
        ),
    },
)
