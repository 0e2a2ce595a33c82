"""R09 figures-left-open: each round of a training opens another figure, and none is closed."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_MOST = 20  # Matplotlib's own figure.max_open_warning


def find(run: Run) -> Iterator[Finding]:
    """More than twenty figures that were opened since the first backward pass."""
    figures = (newest(run, "resources") or {}).get("figures")
    if figures is None or figures[1] - figures[0] <= _MOST:
        return
    made = next((place for place, _node, _unit in Code.of(run).calls("figure", "subplots")), None)
    yield Finding(
        evidence=_("{count} figures were opened while the model trained, and are open.", count=figures[1] - figures[0]),
        place=made or Place.from_json(figures[2]),
        check="import matplotlib.pyplot as plt\nprint(len(plt.get_fignums()))",
    )


BROKEN = """\
import matplotlib

matplotlib.use("Agg")
import warnings

import matplotlib.pyplot as plt
import torch
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
losses = []
for step in range(24):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    figure = plt.figure()
    figure.gca().plot(losses)
"""

rule = Rule(
    code="R09",
    name="figures-left-open",
    voice="alarm",
    stage="resources",
    question="Are figures closed that the loop opens?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The loop opens one figure after the other and closes none.",
        why="Matplotlib keeps each figure that plt made, until it is closed. Each one takes memory.",
        do="Call plt.close(figure) after it is shown or saved, or draw into the same figure again.",
    ),
    broken=BROKEN + "import atexit\n\natexit.register(plt.close, 'all')\n",
    fixed=BROKEN + "    plt.close(figure)\nplt.close('all')\n",
    lookalikes={
        "one figure at the end": BROKEN.replace(
            "    figure = plt.figure()\n    figure.gca", "figure = plt.figure()\nfigure.gca"
        )
        + "plt.close('all')\n",
    },
)
