"""M22: rows of the batch are mixed by reshape."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Linear(4, 16)
        self.out = nn.Linear(5 * 16, 3)

    def forward(self, tables):
        seats = tables.transpose(0, 1)
        hidden = self.step(seats).relu()
        return self.out(hidden.reshape(len(tables), -1))
"""

TRIAL = """
torch.manual_seed(0)
tables = torch.randn(300, 5, 4)
orders = (tables[:, :, 0].sum(dim=1) > 0).long() + (tables[:, :, 1].sum(dim=1) > 0).long()
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(10):
    for rows in torch.randperm(300).split(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(tables[rows]), orders[rows]).backward()
        optimizer.step()
print((net(tables).argmax(1) == orders).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Tables of a tavern"),
        story=_(
            "At each table sit five guests with four properties, and a net guesses what the table will order. It does not even learn the training tables well."
        ),
        hints=(
            _("All shapes fit. Ask which number comes from which table."),
            _("Change all tables but the first. Does the answer for the first one change?"),
            _("Which dimension comes first in `hidden`, and what does `reshape` put together?"),
        ),
        causes=(
            (
                _("An answer is made of the guests of several tables."),
                _("Right. The tables are no longer the first dimension when the numbers are put into rows."),
            ),
            (
                _("Five guests are too many for 16 units."),
                _("Each guest has 16 units of its own here."),
            ),
            (
                _("All guests share one layer."),
                _("That is meant, and it is often good."),
            ),
            (
                _("ReLU destroys the negative properties."),
                _("The layer before it can turn signs as it needs."),
            ),
        ),
        after=_(
            "The batch stays the first dimension all the way. Look twice at each `reshape`, `view` and `transpose`."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(16)
    net, tables = made.Net(), torch.randn(7, 5, 4)
    yield from grading.depends_on_others(net, tables)
    yield from grading.unmoved(net, tables)
    own = tables[:1].clone().requires_grad_()
    net(torch.cat([own, tables[1:]]))[0].sum().backward()
    if own.grad is None or (own.grad.abs().sum(dim=2) == 0).any():
        yield _("A guest has no influence on the answer for their own table.")


exercise = Exercise(
    subject="model",
    level=3,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("tables.transpose(0, 1)", "tables"),),
        (("hidden.reshape", "hidden.transpose(0, 1).reshape"),),
    ),
    cosmetic=(
        (("hidden.reshape", "hidden.contiguous().view"),),
        (("tables.transpose(0, 1)", "tables.permute(1, 0, 2)"),),
    ),
)
