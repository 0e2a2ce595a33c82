"""M35 weights-of-unusual-precision: weights are kept in float16 or float64."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A root that learns, for some steps, and whose weights are float16 or float64."""
    for model in newest(run, "weights_of_models") or []:
        if model["calls"] < 3:  # the first three calls of each are looked at: who computes a slope trains nothing
            continue
        if "float16" in model["types"] or ("float64" in model["types"] and not _asked_for(run)):
            yield Finding(
                evidence=_(
                    "{model} has weights of type {types}.", model=model["class"], types=", ".join(model["types"])
                ),
                step=0,
                place=_cast(run) or Place.from_json(model["called"]),
            )


def _asked_for(run: Run) -> bool:
    """Whether the program says that all is to be float64."""
    texts = [
        ast.unparse(node) for _place, node, _unit in Code.of(run).calls("set_default_dtype", "set_default_tensor_type")
    ]
    return any("64" in text or "ouble" in text for text in texts)


def _cast(run: Run) -> Place | None:
    """The only line that casts."""
    found = [place for place, _node, _unit in Code.of(run).calls("double", "half")]
    return found[0] if len(found) == 1 else None


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
    name="weights-of-unusual-precision",
    voice="question",
    stage="graph",
    question="Have the weights the usual precision?",
    needs=("weights_of_models",),
    find=find,
    text=Text(
        what="The weights are not float32, the type that PyTorch trains with.",
        why="In float16, small steps are lost in rounding. Float64 takes twice the memory and time, and often comes "
        "from NumPy without being meant.",
        do="Keep weights and data in float32, with .float(). For speed on a GPU, use torch.autocast.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".half()", ""),
    lookalikes={
        "one slope, computed with many digits": BROKEN.replace(".half()", ".double()").replace("range(20)", "range(1)"),
        "autocast": BROKEN.replace(".half()", "").replace(
            "    loss = nn.functional.cross_entropy(model(x).float(), y)",
            "    with torch.autocast('cpu', dtype=torch.bfloat16):\n"
            "        loss = nn.functional.cross_entropy(model(x).float(), y)",
        ),
    },
)
