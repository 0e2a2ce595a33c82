"""P03 on-different-devices: tensors that are to be computed with each other lie on different devices."""

import re
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.failing import evidence_of, failure_of, layer_of, line_of, lines_above
from firstlight.doctor.rule import Finding, Rule
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The error that says so, with who was where."""
    failure = failure_of(
        run,
        r"expected all tensors to be on the same device",
        r"is not on the expected device",
        r"tensors? .* on (different|the same) devices?",
        r"input type \(torch\.cuda\.\w+\) and weight type \(torch\.(?!cuda)",
        r"input type \(torch\.(?!cuda)\w+\) and weight type \(torch\.cuda",
        r"placeholder storage has not been allocated on MPS",
        r"indices should be either on",
        r"can't convert cuda(:\d+)? device type tensor to numpy",
        types=("RuntimeError", "TypeError"),
    )
    if failure is None:
        return
    rows = (failure["operation"] or {"inputs": []})["inputs"]
    rows = rows or [{**one, "name": name} for name, one in failure["tensors"].items()]
    where = [f"{one['name']} {one['device']}" for one in rows if one["name"]]
    devices = list(dict.fromkeys(one["device"] for one in rows))
    devices = (
        devices
        if len(devices) > 1
        else sorted(set(re.findall(r"\b(?:cuda(?::\d+)?|cpu|mps|meta)\b", failure["message"])))
    )
    yield Finding(
        evidence=_("{error}. On: {where}.", error=evidence_of(failure).rstrip("."), where=", ".join(where[:6])),
        step=failure["step"],
        place=line_of(failure),
        places=lines_above(failure, Code.of(run))[:2],
        values={"devices": ", ".join(devices) or "?", "layer": layer_of(failure) or failure["frames"][-1]["text"]},
        check="print(next(model.parameters()).device, inputs.device)",
    )


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 8), torch.randint(3, (64,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x.to("meta")), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="P03",
    name="on-different-devices",
    voice="alarm",
    stage="graph",
    question="Are model and samples on one device?",
    find=find,
    text=Text(
        what="What is to be computed with each other lies on different devices: {devices}.",
        why="Each device has a memory of its own, and PyTorch moves nothing by itself. model.to(device) moves the "
        "model, x.to(device) gives a new tensor: its result must be given a name.",
        do="Move the model once, and each batch in the loop: x, y = x.to(device), y.to(device).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises\n", "").replace('x.to("meta")', "x"),
    lookalikes={
        "another error": "# raises\nimport torch\n\nprint({}['device'])\n",
    },
    explains=("L03", "L04", "X01"),
)
