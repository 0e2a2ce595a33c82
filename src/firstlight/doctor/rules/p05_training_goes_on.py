"""P05 training-goes-on: the cell that trains ran again, and the model had already learned."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A model with the weights that an earlier run of the same cell has left."""
    memory = newest(run, "session") or {"roots": []}
    for one in memory["roots"]:
        past = one["past"]
        if past is not None and past["again"] and past["steps"]:
            yield Finding(
                evidence=_(
                    "{model} had made {before} steps in cell {cell}; the {steps} steps of this cell follow those.",
                    model=one["kind"],
                    before=past["steps"],
                    cell=past["cell"],
                    steps=memory["steps"],
                ),
                step=0,
                place=Place.from_json(memory["place"]),
            )
            return


_TRAINING = """\
# %%
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_MODEL = """\
# %%
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
_DATA = """\
# %%
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
"""

rule = Rule(
    code="P05",
    name="training-goes-on",
    voice="note",
    stage="review",
    question="Did each training begin with a model that had not learned?",
    needs=("session",),
    find=find,
    text=Text(
        what="This training did not begin anew: the model had already learned when the cell ran again.",
        why="The cell that makes the model did not run again, so its weights are those that were trained before.",
        do="To begin anew, first run the cells that make the model and the optimizer. To go on, leave it as it is.",
    ),
    broken=_DATA + _MODEL + _TRAINING + _TRAINING,
    fixed=_DATA + _MODEL + _TRAINING + _MODEL + _TRAINING,
    lookalikes={
        "the weights are put back": _DATA
        + _MODEL
        + "start = {name: weight.clone() for name, weight in model.state_dict().items()}\n"
        + _TRAINING.replace("# %%\n", "# %%\nmodel.load_state_dict(start)\n") * 2,
        "two cells train one after the other": _DATA + _MODEL + _TRAINING + _TRAINING.replace("step in", "epoch in"),
    },
)
