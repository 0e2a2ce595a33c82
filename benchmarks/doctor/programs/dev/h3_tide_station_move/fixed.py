"""Reuse a network trained on one tide station for another, where few days are labelled.

The body is trained on station A (which of eight weather types), then only a new head learns the four types of station B.
"""
import argparse

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=5)
parser.add_argument("--body-epochs", type=int, default=6)
parser.add_argument("--head-epochs", type=int, default=12)
parser.add_argument("--body-lr", type=float, default=1e-3)
parser.add_argument("--head-lr", type=float, default=5e-3)
args = parser.parse_args()
torch.manual_seed(args.seed)

HOURS = 96
hour = torch.arange(HOURS) / HOURS


def days(n, types, stretch):
    kind = torch.randint(types, (n,))
    surge = 1.0 + kind.unsqueeze(1) * stretch
    wave = torch.sin(2 * torch.pi * (7.7 * hour + torch.rand(n, 1)))
    gust = torch.sin(2 * torch.pi * ((12 + 2.5 * surge) * hour + torch.rand(n, 1)))
    return (0.7 * wave + 0.8 * gust + 0.5 * torch.randn(n, HOURS)).unsqueeze(1), kind


class TideNet(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 32, 11, padding=5), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 48, 7, padding=3), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
        )
        self.head = nn.Linear(192, outputs)

    def forward(self, x):
        return self.head(self.body(x))


# station A
xa, ya = days(1600, 8, 1.0)
net = TideNet(8)
warm = torch.optim.Adam(net.parameters(), lr=args.body_lr)
for epoch in range(args.body_epochs):
    total = 0.0
    for x, y in DataLoader(TensorDataset(xa, ya), batch_size=64, shuffle=True):
        loss = F.cross_entropy(net(x), y)
        warm.zero_grad()
        loss.backward()
        warm.step()
        total += loss.item() * len(y)
    print(f"A {epoch} {total / len(xa):.6f}")

# station B
xb, yb = days(900, 4, 2.0)
few = DataLoader(TensorDataset(xb[:500], yb[:500]), batch_size=50, shuffle=True)
rest = DataLoader(TensorDataset(xb[500:], yb[500:]), batch_size=100)
for p in net.parameters():
    p.requires_grad = False
net.head = nn.Linear(192, 4)
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, net.parameters()), lr=args.head_lr)
for epoch in range(args.head_epochs):
    net.train()
    total = 0.0
    for x, y in few:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    print(f"B {epoch} {total / len(few.dataset):.6f}")

net.eval()
hits = 0
with torch.no_grad():
    for x, y in rest:
        hits += int((net(x).argmax(-1) == y).sum())
print(f"result: {hits / len(rest.dataset):.4f}")
