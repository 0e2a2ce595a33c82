"""M23: time and batch are mixed up."""

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
        self.rnn = nn.GRU(4, 16)
        self.head = nn.Linear(16, 2)

    def forward(self, songs):
        states, last = self.rnn(songs)
        return self.head(states[:, -1])
"""

TRIAL = """
torch.manual_seed(0)
songs = torch.randn(120, 12, 4)
labels = (songs.mean(dim=(1, 2)) > 0).long()
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for rows in torch.randperm(120).split(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(songs[rows]), labels[rows]).backward()
        optimizer.step()
for order in (torch.arange(120), torch.arange(120).flip(0)):
    print((net(songs[order]).argmax(1) == labels[order]).float().mean().item())
"""


def words() -> Words:
    return Words(
        title=_("Songs of a choir"),
        story=_(
            "A net hears songs, each 12 notes long, and says which are sad; a batch has the shape songs, notes, 4. It learns very little, and its answers depend on the order of the batch."
        ),
        hints=(
            _("Change one song of a batch. Whose answers change?"),
            _("Change the first note of the last song. Does its answer change?"),
            _("Read in the manual of `nn.GRU` which dimension comes first."),
        ),
        causes=(
            (
                _("The layer takes songs for notes."),
                _("Right. By default it reads along the first dimension, and there the songs are."),
            ),
            (
                _("12 notes are too many to remember."),
                _("That is short for such a layer."),
            ),
            (
                _("The last state is the wrong one to use."),
                _("It is the one that has heard the whole song, if the layer reads along the song."),
            ),
            (
                _("Songs must be shuffled by their notes."),
                _("That would destroy them."),
            ),
        ),
        after=_("`nn.GRU(4, 16, batch_first=True)` takes batches of the shape batch, time, features."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    torch.manual_seed(15)
    net, songs = made.Net().eval(), torch.randn(6, 12, 4)
    with torch.no_grad():
        found = net(songs)
        if found.shape != (6, 2):
            yield _("It does not give two scores for each song.")
            return
        alone = torch.cat([net(songs[at : at + 1]) for at in range(6)])
        if grading.differs(found, alone):
            yield _("Alone, a song gets another answer than in a batch.")
        changed = songs.clone()
        changed[-1, 0] += 3
        if not grading.differs(net(changed)[-1], found[-1], within=1e-7):
            yield _("A song's first note has no influence on its answer.")


exercise = Exercise(
    subject="model",
    level=2,
    needs=("Net",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("nn.GRU(4, 16)", "nn.GRU(4, 16, batch_first=True)"),),
        (("self.rnn(songs)", "self.rnn(songs.transpose(0, 1))"), ("states[:, -1]", "states[-1]")),
    ),
    cosmetic=(
        (("nn.GRU(4, 16)", "nn.GRU(4, 16, num_layers=2)"),),
        (("states[:, -1]", "states.mean(dim=1)"),),
    ),
)
