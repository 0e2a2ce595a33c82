"""M10: layers in a Python list."""

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
    def __init__(self, depth=3):
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.middle = [nn.Linear(32, 32) for layer in range(depth)]
        self.last = nn.Linear(32, 4)

    def forward(self, inputs):
        hidden = self.first(inputs).relu()
        for layer in self.middle:
            hidden = layer(hidden).relu()
        return self.last(hidden)
"""

TRIAL = """
torch.manual_seed(0)
net, loaded = Net(), Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
inputs, labels = torch.randn(100, 8), torch.arange(100) % 4
for step in range(30):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(inputs), labels).backward()
    optimizer.step()
loaded.load_state_dict(net.state_dict())
print(net(inputs[:2]))
print(loaded(inputs[:2]))
"""


def words() -> Words:
    return Words(
        title=_("A caravan of layers"),
        story=_("A net of any depth is trained, saved and loaded again. Loaded, it gives other answers than before."),
        hints=(
            _("What is in the saved file? Look at the names in `net.state_dict()`."),
            _("Count the weights: in your head, and with `sum(p.numel() for p in net.parameters())`."),
            _("How does a module learn which layers belong to it?"),
        ),
        causes=(
            (
                _("PyTorch does not know of some of the layers."),
                _("Right. It finds modules in attributes, and it does not look into a plain list."),
            ),
            (
                _("Loading needs `strict=True`."),
                _("It is strict already, and finds nothing missing."),
            ),
            (
                _("The copy is not in eval mode."),
                _("There is no layer that would behave differently."),
            ),
            (
                _("Numbers are rounded when they are saved."),
                _("Nothing is rounded, and the answers differ a lot."),
            ),
        ),
        after=_(
            "`nn.ModuleList([...])` or `nn.Sequential(...)` makes them known: to the optimizer, to `to(device)`, and to `state_dict`."
        ),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    for depth in (1, 3):
        net, copy = made.Net(depth), made.Net(depth)
        inputs = torch.randn(6, 8)
        copy.load_state_dict(net.state_dict())
        if grading.differs(net(inputs), copy(inputs)):
            yield _("A copy with the same `state_dict` gives other answers.")
            return
        yield from grading.unmoved(net, inputs)
        count = sum(weight.numel() for weight in net.parameters())
        if count != 9 * 32 + depth * 33 * 32 + 33 * 4:
            yield _("With depth {depth}, it has {count:,} weights that can be trained.", depth=depth, count=count)
            return


exercise = Exercise(
    subject="model",
    level=1,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (
            (
                "[nn.Linear(32, 32) for layer in range(depth)]",
                "nn.ModuleList(nn.Linear(32, 32) for layer in range(depth))",
            ),
        ),
        (
            (
                "[nn.Linear(32, 32) for layer in range(depth)]",
                "nn.Sequential(*[nn.Linear(32, 32) for layer in range(depth)])",
            ),
        ),
    ),
    cosmetic=(
        (("[nn.Linear(32, 32) for layer in range(depth)]", "tuple(nn.Linear(32, 32) for layer in range(depth))"),),
        (("depth=3", "depth=1"),),
        (("        self.middle = [", "        torch.manual_seed(0)\n        self.middle = ["),),
    ),
)
