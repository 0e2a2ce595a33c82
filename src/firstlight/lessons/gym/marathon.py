"""L13: a schedule made for epochs is advanced with each batch."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch

from firstlight.lessons import grading
from firstlight.lessons.exercise import Exercise, Words
from firstlight.locale import _

CODE = """
import torch
from torch import nn


def fit(net, batches, epochs):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.1)
    losses = []
    for epoch in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(inputs), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
        losses.append(loss.item())
    return losses
"""

TRIAL = """
torch.manual_seed(0)
centres = torch.randn(4, 8)
labels = torch.arange(600) % 4
inputs = centres[labels] + torch.randn(600, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
print(fit(net, list(zip(inputs.split(20), labels.split(20))), 6))
"""


def words() -> Words:
    return Words(
        title=_("A runner in a marathon"),
        story=_(
            "Training begins well and is planned for six epochs: after four of them, smaller steps. But it comes to a halt long before."
        ),
        hints=(
            _("It begins well and then stands still. What changes while it trains?"),
            _("Print `optimizer.param_groups[0]['lr']` after each epoch."),
            _("What does `step_size=4` count?"),
        ),
        causes=(
            (
                _("The learning rate falls after four batches in place of four epochs."),
                _("Right. The schedule counts how often it is told to step."),
            ),
            (
                _("The learning rate is too high for the start."),
                _("The start is the part that goes well."),
            ),
            (
                _("Gradients vanish in the first layer."),
                _("The net is small, and its gradients are sound."),
            ),
            (
                _("The schedule must step before the optimizer."),
                _("PyTorch warns of that order. The schedule comes after the optimizer."),
            ),
        ),
        after=_("`schedule.step()` stands in the loop whose rounds it counts: here in the loop over epochs."),
    )


def judge(made: SimpleNamespace) -> Iterator[str]:
    batches = grading.batches_of(25, 20)
    moved = []
    for epochs in (1, 5):
        net = grading.small_net(25)
        made.fit(net, batches, epochs)
        moved.append(torch.cat([weight.detach().flatten().clone() for weight in net.parameters()]))
    wanted = grading.small_net(25)
    optimizer = torch.optim.SGD(wanted.parameters(), lr=0.1)
    for epoch in range(5):
        if epoch == 4:
            optimizer.param_groups[0]["lr"] = 0.01
        grading.learned(wanted, optimizer, batches)
        right = torch.cat([weight.detach().flatten() for weight in wanted.parameters()])
        if epoch + 1 in (1, 5):
            found = moved.pop(0)
            if grading.differs(found, right, within=2e-3):
                yield _(
                    "Epochs done: {epochs}. The net is not where the plan leads: a rate of 0.1, and of 0.01 after four epochs.",
                    epochs=epoch + 1,
                )
                return


exercise = Exercise(
    subject="loop",
    level=2,
    needs=("fit",),
    code=CODE,
    trial=TRIAL,
    words=words,
    judge=judge,
    mended=(
        (("            schedule.step()\n", "        schedule.step()\n"),),
        (("step_size=4", "step_size=4 * len(batches)"),),
    ),
    cosmetic=(
        (("lr=0.1)", "lr=1.0)"),),
        (("gamma=0.1", "gamma=0.9"),),
        (("            schedule.step()\n", ""),),
    ),
)
