"""X04 pytorch-warns: a warning of PyTorch's that is easily passed over, in plain words."""

from collections.abc import Iterator
from dataclasses import replace

from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.warned import told, warnings_of
from firstlight.locale import Text
from firstlight.run import Run

_KNOWN = (
    (
        r"non-full backward hook",
        Text(
            what="A backward hook of an old kind is used; what it is given may be only a part of the gradient.",
            why="register_backward_hook sees the last operation of a module, not the whole module.",
            do="Use register_full_backward_hook.",
        ),
    ),
    (
        r"\.grad attribute of a Tensor that is not a leaf Tensor is being accessed",
        Text(
            what="The gradient of a tensor is asked for that keeps none, so the answer is None.",
            why="Only weights and other tensors that were not computed keep a gradient.",
            do="Call x.retain_grad() before backward(), or look at the weights.",
        ),
    ),
    (
        r"none of the inputs have requires_grad=True",
        Text(
            what="A part of the model that is checkpointed gets no gradient.",
            why="Nothing that goes into it wants one, so its weights stay as they are.",
            do="Call checkpoint with use_reentrant=False.",
        ),
    ),
    (
        r"dropout option adds dropout after all but last recurrent layer",
        Text(
            what="The dropout of this recurrent layer does nothing.",
            why="It works between layers that are stacked, and there is only one.",
            do="Put nn.Dropout behind it, or give it num_layers=2.",
        ),
    ),
    (
        r"std\(\): degrees of freedom is <= 0|var\(\): degrees of freedom is <= 0",
        Text(
            what="The spread of a single number was asked for, and that is not a number (nan).",
            why="std() and var() divide by the count less 1.",
            do="Write unbiased=False, or see to it that more than one number comes here.",
        ),
    ),
    (
        r"creating a tensor from a list of numpy\.ndarrays is extremely slow",
        Text(
            what="A tensor is made of a list of arrays, which is slow.",
            why="Each number is copied by itself.",
            do="Make one array first: torch.from_numpy(numpy.stack(arrays)).",
        ),
    ),
)


def find(run: Run) -> Iterator[Finding]:
    """Warnings that are known, each kind once."""
    for pattern, text in _KNOWN:
        for row, _found in warnings_of(run, pattern):
            yield replace(told(row), text=text)
            break


BROKEN = """\
import warnings

import torch
from torch import nn

warnings.simplefilter("default")
torch.manual_seed(0)
x, y = torch.randn(32, 5, 8), torch.randint(3, (32,))
body, head = nn.GRU(8, 6, dropout=0.5, batch_first=True), nn.Linear(6, 3)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
for step in range(10):
    loss = nn.functional.cross_entropy(head(body(x)[0][:, -1]), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="X04",
    name="pytorch-warns",
    voice="note",
    stage="review",
    question="Did the program run without a warning of PyTorch's?",
    needs=("witness",),
    find=find,
    text=Text(
        what="PyTorch warned of something that is easily passed over.",
        why="A warning ends nothing: the program goes on, and does something else than it says.",
        do="Read the warning above, and change the line that it names.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(", dropout=0.5", ""),
    lookalikes={
        "a warning of the learner's own": BROKEN.replace(", dropout=0.5", "").replace(
            "for step", "warnings.warn('this takes long', stacklevel=1)\nfor step"
        ),
    },
)
