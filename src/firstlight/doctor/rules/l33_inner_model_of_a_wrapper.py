"""L33 inner-model-of-a-wrapper: a model is wrapped for several devices, and called without its wrapper."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The inner model learns, and the wrapper is never called."""
    one = newest(run, "wrapped_models")
    if not one or one["wrapper_called"] or one["inner"] < 5:
        return
    yield Finding(
        evidence=_(
            "The model inside of {wrapper} was called {count} times in training, and {wrapper} itself never.",
            wrapper=one["wrapper"],
            count=one["inner"],
        ),
        step=5,
        place=Place.from_json(one["place"]),
    )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
net = nn.Linear(8, 3)
model = nn.DataParallel(net)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L33",
    name="inner-model-of-a-wrapper",
    voice="alarm",
    stage="graph",
    question="Is the wrapped model called through its wrapper?",
    needs=("wrapped_models",),
    find=find,
    text=Text(
        what="The model is trained without the wrapper that would spread it over several devices.",
        why="Only the wrapper's own call splits the batch or brings gradients together.",
        do="Call the wrapper, model(x), and not what was put into it.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("net(x)", "model(x)"),
    lookalikes={
        "evaluated without the wrapper": BROKEN.replace("net(x)", "model(x)") + "with torch.no_grad():\n    net(x)\n"
    },
)
