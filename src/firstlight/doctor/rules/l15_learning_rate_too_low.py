"""L15 learning-rate-too-low: steps so small that nothing is learned."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import number_changed
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TINY = 1e-5  # of a weight's size, by the largest of its steps: healthy ones change 0.006 to 0.045 of it


def find(run: Run) -> Iterator[Finding]:
    """A training that does not learn, whose steps change next to nothing, and larger ones do better on a copy."""
    one = newest(run, "progress") or {}
    if not one or one["steps"] < 40 or one["largest_ratio"] is None or not one["finite"]:
        return
    largest, rate = one["largest_ratio"], one["numbers"].get("lr", 0.0)
    # All steps together have moved the weights by a thousandth at most: the model is what it was. Losses of single
    # batches may still lie lower in the end than in the beginning, by chance.
    nothing = largest < _TINY and largest * one["steps"] < 1e-3 and one["last"] > one["first"] - 0.3 * abs(one["first"])
    if largest > 1e-3 or (one["learns"] and not nothing):
        return
    tried = one["tried"] or {}
    start, same, more = tried.get("start"), tried.get("1"), tried.get("more")
    # Both must hold: the training got nowhere, and a larger rate gets ten times as far from the same start.
    stood = one["last"] > one["first"] - 0.05 * abs(one["first"])
    if start is None or same is None or more is None:
        further = False
    else:
        further = start - more > max(0.05 * start, 10 * (start - same))
    times = tried.get("times") or 100
    place = Place.from_json(one["made"])
    if further and stood:
        yield Finding(
            evidence=_(
                "With lr={rate:g} a step changes the weights by {share:.1e} of their size; {steps} steps took the loss "
                "from {first:.3g} to {last:.3g}. From the start, 40 steps with lr={more:g} take it to {better:.3g}.",
                rate=rate, share=largest, steps=one["steps"], first=one["first"], last=one["last"], more=rate * times,
                better=more,
            ),
            step=40,
            place=place,
            edits=number_changed(Code.of(run), place, "lr", rate * times),
        )  # fmt: skip
    elif largest < _TINY:
        yield Finding(
            evidence=_(
                "With lr={rate:g} a step changes the weights by {share:.1e} of their size at most. "
                "{steps} steps took the loss from {first:.3g} to {last:.3g}.",
                rate=rate, share=largest, steps=one["steps"], first=one["first"], last=one["last"],
            ),
            step=40,
            place=place,
            voice="alarm" if nothing else "question",
            edits=number_changed(Code.of(run), place, "lr", rate * times) if rate else (),
        )  # fmt: skip


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
for step in range(60):
    at = torch.arange(32) + step % 8 * 32
    loss = nn.functional.cross_entropy(model(x[at]), y[at])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L15",
    name="learning-rate-too-low",
    voice="alarm",
    stage="dynamics",
    question="Are the steps large enough to get anywhere?",
    needs=("progress",),
    find=find,
    text=Text(
        what="The learning rate is so low that the model hardly changes.",
        why="A step moves each weight by learning rate times gradient. That is next to nothing here.",
        do="Make the learning rate larger, ten times and again. Usual are 0.1 to 0.01 for SGD and 0.001 for Adam.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("lr=1e-4", "lr=0.3"),
    lookalikes={
        "small steps, but many of them are enough": BROKEN.replace("lr=1e-4", "lr=0.02").replace(
            "range(60)", "range(600)"
        ),
        "warm-up from next to nothing": BROKEN.replace("lr=1e-4", "lr=0.3").replace(
            "    optimizer.zero_grad()\n",
            "    optimizer.zero_grad()\n    optimizer.param_groups[0]['lr'] = 0.3 * min(1, step / 20)\n",
        ),
        "nothing is left to learn": BROKEN.replace(
            "for step in range(60)",
            "fast = torch.optim.Adam(model.parameters(), lr=0.1)\n"
            "for step in range(150):\n    fast.zero_grad()\n    nn.functional.cross_entropy(model(x), y).backward()\n"
            "    fast.step()\nfor step in range(60)",
        ),
    },
    explains=("E11", "E12"),
)
