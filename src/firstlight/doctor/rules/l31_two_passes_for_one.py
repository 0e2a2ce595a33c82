"""L31 two-passes-for-one: the model is called twice for each step, and one output is not learned from."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Two calls with gradients before most steps, one of them unused."""
    passes = newest(run, "passes") or {}
    if passes.get("twice", 0) >= 10 and passes["twice"] >= 0.8 * passes["twice_asked"]:
        yield Finding(
            evidence=_(
                "Before {count} backward passes the model was called twice with gradients on; "
                "nothing went backward through one of the outputs.",
                count=passes["twice"],
            ),
            step=10,
            place=Place.from_json(passes["twice_place"]),
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    out = model(x)
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    right = (out.argmax(1) == y).sum().item()
"""

rule = Rule(
    code="L31",
    name="two-passes-for-one",
    voice="note",
    stage="review",
    question="Is each output with gradients learned from?",
    needs=("passes",),
    find=find,
    text=Text(
        what="The model is called twice for each step, and only one output is learned from.",
        why="The other one costs time and memory; and perhaps it is the one that was meant.",
        do="Use the right output in the loss. An output that is only looked at is computed under torch.no_grad().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("cross_entropy(model(x), y)", "cross_entropy(out, y)"),
    lookalikes={
        "consistent under dropout": BROKEN.replace(
            "    optimizer.zero_grad", "    loss = loss + (out**2).mean()\n    optimizer.zero_grad"
        ),
    },
)
