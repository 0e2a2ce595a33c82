"""L01 missing-zero-grad: gradients of earlier batches are still there when those of this one are added."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 3  # a first step or two may rightly add to what was there


def find(run: Run) -> Iterator[Finding]:
    """An optimizer whose gradients were nearly never set back between its own steps."""
    for one in newest(run, "order_of_steps") or []:
        chances = one["steps"] - 1
        if one["uncleared"] < _TIMES or one["uncleared"] < 0.9 * chances:
            continue
        place = Place.from_json(one["backward"])
        edits: tuple[Edit, ...] = ()
        if place is not None:
            indent = " " * (len(place.source) - len(place.source.lstrip()))
            edits = (Edit(line=place.line, old=0, new=(f"{indent}optimizer.zero_grad()",)),)
        yield Finding(
            evidence=_(
                "In {count} of {chances} steps of {optimizer}, the gradients of the step before were still there.",
                count=one["uncleared"],
                chances=chances,
                optimizer=one["optimizer"],
            ),
            step=one["step"],
            place=place,
            edits=edits,
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L01",
    name="missing-zero-grad",
    voice="alarm",
    stage="order",
    question="Are the gradients set back before those of the next batch are added?",
    needs=("order_of_steps",),
    find=find,
    text=Text(
        what="The gradients are never set back, so each step also follows all batches before it.",
        why="loss.backward() adds to .grad. Without zero_grad() the sum grows, as if the learning rate did.",
        do="Call optimizer.zero_grad() once for each step, before loss.backward().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    loss.backward()\n", "    optimizer.zero_grad()\n    loss.backward()\n"),
    lookalikes={
        "accumulates over four batches": BROKEN.replace(
            "    optimizer.step()\n", "    if step % 4 == 3:\n        optimizer.step()\n        optimizer.zero_grad()\n"
        ),
        "sets back at the end": BROKEN.replace("optimizer.step()\n", "optimizer.step()\n    model.zero_grad()\n"),
        "sets back by hand": BROKEN.replace(
            "    loss.backward()\n",
            "    for weight in model.parameters():\n        weight.grad = None\n    loss.backward()\n",
        ),
    },
    explains=("L14", "L18", "L19"),
)
