import math
import torch
from torch import nn


class Hyper(nn.Module):
    """From the description of a task come the weights of a small net."""

    def __init__(self, width=16):
        super().__init__()
        self.width = width
        self.make = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 3 * width + 1))

    def forward(self, task, x):
        w1, b1, w2, b2 = self.make(task).split([self.width, self.width, self.width, 1], dim=1)
        hidden = torch.tanh(x.unsqueeze(2) * w1.unsqueeze(1) + b1.unsqueeze(1))
        return (hidden * w2.unsqueeze(1)).sum(2) + b2


def tasks(n):
    task = torch.rand(n, 2)
    x = torch.rand(n, 12) * 4 - 2
    y = (0.5 + task[:, :1]) * torch.sin(x + math.pi * task[:, 1:])
    return task * 2 - 1, x, y


torch.manual_seed(24)
task, x, y = tasks(1200)
test_task, test_x, test_y = tasks(300)
hyper = Hyper()
optimizer = torch.optim.Adam(hyper.parameters(), lr=0.005)
for epoch in range(15):
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = (hyper(task[rows], x[rows]) - y[rows]).pow(2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 30:.6f}")
with torch.no_grad():
    rest = (hyper(test_task, test_x) - test_y).pow(2).mean()
print(f"result: {(1 - rest / test_y.var()).item():.4f}")
