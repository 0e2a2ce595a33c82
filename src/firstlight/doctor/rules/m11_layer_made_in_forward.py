"""M11 layer-made-in-forward: a layer is made anew in each forward pass, so nothing it learns is kept."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Weights that a loss reaches, which were other ones at each look, and belong to nothing."""
    reach = newest(run, "reach") or {}
    if reach.get("fresh", 0) < 3:
        return
    yield Finding(
        evidence=_(
            "At {count} of {looks} looks, the loss reached a weight of shape {shape} that did not exist before and "
            "that nothing holds.",
            count=reach["fresh"],
            looks=reach["looks"],
            shape=str(tuple(reach["fresh_shape"])),
        ),
        step=reach["fresh_step"],
        place=Place.from_json(reach["fresh_line"]) or Place.from_json(reach["backward"]),
        check="print([name for name, _weight in model.named_parameters()])  # the layer is missing",
    )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 8)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return nn.Linear(8, 3)(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("nn.Linear(8, 3)(x)", "self.head(x)").replace(
    "self.hidden = nn.Linear(8, 8)", "self.hidden, self.head = nn.Linear(8, 8), nn.Linear(8, 3)"
)

rule = Rule(
    code="M11",
    name="layer-made-in-forward",
    voice="alarm",
    stage="graph",
    question="Are the layers made once, not in each forward pass?",
    needs=("reach",),
    find=find,
    text=Text(
        what="A layer or parameter is made anew each time the model runs.",
        why="Each time it starts from random numbers, and what backward says about it is thrown away.",
        do="Make it once in __init__ as an attribute of the model, and use it in forward.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "adversarial inputs": FIXED.replace(
            "    loss = nn.functional.cross_entropy(model(x), y)",
            "    noisy = (x + 0.01 * torch.randn_like(x)).requires_grad_()\n"
            "    loss = nn.functional.cross_entropy(model(noisy), y)",
        ),
        "a copy learns inside each step": FIXED.replace(
            "    loss = nn.functional",
            "    import copy\n    learner = copy.deepcopy(model)\n"
            "    nn.functional.cross_entropy(learner(x), y).backward()\n    loss = nn.functional",
        ),
    },
    explains=("L05", "L06"),
)
