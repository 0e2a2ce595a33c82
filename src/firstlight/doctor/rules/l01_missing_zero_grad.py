"""L01 missing-zero-grad: gradients of earlier batches are still there when those of this one are added."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import clearing
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 3  # a first step or two may rightly add to what was there


def find(run: Run) -> Iterator[Finding]:
    """An optimizer whose gradients were nearly never set back between its own steps."""
    yield from _by_hand(run)
    code = Code.of(run)
    for one in newest(run, "order_of_steps") or []:
        chances = one.get("chances", one["steps"] - 1)
        if one["uncleared"] < _TIMES or one["uncleared"] < 0.9 * chances:
            continue
        place = Place.from_json(one["backward"])
        yield Finding(
            evidence=_(
                "In {count} of {chances} steps of {optimizer}, the gradients of the step before were still there.",
                count=one["uncleared"],
                chances=chances,
                optimizer=one["optimizer"],
            ),
            step=one["step"],
            place=place,
            edits=clearing(code, place, Place.from_json(one["stepped"])),
            check="print([p.grad for p in model.parameters()])  # directly before loss.backward()",
        )


def _by_hand(run: Run) -> Iterator[Finding]:
    """The same where no optimizer is used: weights that change between backward passes, gradients that only grow."""
    one = newest(run, "order_by_hand") or {}
    if one.get("uncleared", 0) >= _TIMES and one["uncleared"] >= 0.9 * one["chances"]:
        yield Finding(
            evidence=_(
                "In {count} of {chances} changes of the weights, the gradients of the step before were still there.",
                count=one["uncleared"],
                chances=one["chances"],
            ),
            step=one["step"],
            place=Place.from_json(one["backward"]),
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

GAN = """\
import torch
from torch import nn

torch.manual_seed(0)
real = torch.randn(640, 2) * 0.3 + 1
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
judge = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
d_optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()
for start in range(0, 640, 32):
    judge.zero_grad()
    bce(judge(real[start : start + 32]), torch.ones(32, 1)).backward()
    fake = generator(torch.randn(32, 4))
    bce(judge(fake.detach()), torch.zeros(32, 1)).backward()
    d_optimizer.step()
    generator.zero_grad()
    bce(judge(fake), torch.ones(32, 1)).backward()
    g_optimizer.step()
"""

BY_HAND = """\
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x.sum(1)
w = torch.zeros(8, requires_grad=True)
for step in range(20):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
"""

rule = Rule(
    code="L01",
    name="missing-zero-grad",
    voice="alarm",
    stage="order",
    question="Are the gradients set back before those of the next batch are added?",
    needs=("order_of_steps", "order_by_hand"),
    find=find,
    text=Text(
        what="The gradients are never set back, so each step also follows all batches before it.",
        why="loss.backward() adds to .grad. Without zero_grad() the sum grows, as if the learning rate did.",
        do="Call optimizer.zero_grad() before each loss.backward(); without an optimizer, set .grad to None.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("    loss.backward()\n", "    optimizer.zero_grad()\n    loss.backward()\n"),
    lookalikes={
        "accumulates over four batches": BROKEN.replace(
            "    optimizer.step()\n", "    if step % 4 == 3:\n        optimizer.step()\n        optimizer.zero_grad()\n"
        ),
        "sets back at the end": BROKEN.replace("optimizer.step()\n", "optimizer.step()\n    model.zero_grad()\n"),
        "a GAN, whose generator's loss adds to the gradients of the discriminator": GAN,
        "changes weights by hand and sets back": BY_HAND + "        w.grad = None\n",
        "sets back by hand": BROKEN.replace(
            "    loss.backward()\n",
            "    for weight in model.parameters():\n        weight.grad = None\n    loss.backward()\n",
        ),
    },
    explains=("L14", "L17", "L18", "L19"),
)
