"""L18 loss-runs-away: the loss grows without end."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.progressing import runs_away_by_itself
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A loss that ends a hundred times higher than it began. One spike is normal; an end up there is not."""
    one = newest(run, "progress") or {}
    if not one or one["learns"] or one["steps"] < 10 or one["first"] is None:
        return
    first, last = one["first"], one["last"]
    if first <= 0 or (one["finite"] and (last is None or last < 100 * first)) or (one["most"] or 0) < 100 * first:
        return
    yield Finding(
        evidence=_("The loss began at {first:.3g} and rose to {most:.3g}.", first=first, most=one["most"]),
        step=10,
        place=Place.from_json(one["backward"]),
        voice="alarm" if not one["finite"] and runs_away_by_itself(one) else "question",
    )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x.sum(1, keepdim=True)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.3)
for step in range(30):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L18",
    name="loss-runs-away",
    voice="question",
    stage="dynamics",
    question="Does the loss stay within bounds?",
    needs=("progress",),
    find=find,
    text=Text(
        what="The loss runs away: it ends far above where it began.",
        why="Each step makes the next gradient larger. The steps are too large, or the numbers that go in are.",
        do="Lower the learning rate, scale inputs and targets, and clip the gradients with clip_grad_norm_.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("lr=1.3", "lr=0.1"),
    lookalikes={
        "one spike": BROKEN.replace("lr=1.3", "lr=0.1").replace(
            "    optimizer.zero_grad()",
            "    loss = loss * (1000 if step == 12 else 1) ** 0.5\n    optimizer.zero_grad()",
        )
    },
    explains=("L19", "M18", "E11", "E12"),
)
