"""Encoder and head learn at their own rates: one optimizer for each, kept by name."""
import torch
import torch.nn.functional as F
from torch import nn, optim

torch.manual_seed(21)

REGISTRY = {}


def register(name):
    def wrap(builder):
        REGISTRY[name] = builder
        return builder
    return wrap


@register("encoder")
def encoder():
    return nn.Sequential(nn.Conv1d(1, 12, 7, stride=2), nn.ReLU(), nn.Conv1d(12, 16, 5, stride=2), nn.ReLU(),
                         nn.AdaptiveAvgPool1d(1), nn.Flatten())


@register("head")
def head():
    return nn.Linear(16, 3)


def signals(n):
    t = torch.linspace(0, 1, 64)
    y = torch.randint(0, 3, (n,))
    speed = torch.tensor([3.0, 5.0, 8.0])[y]
    x = torch.sin(2 * torch.pi * (speed[:, None] * t + torch.rand(n, 1))) + 0.3 * torch.randn(n, 64)
    return x[:, None], y


parts = {name: build() for name, build in REGISTRY.items()}
rates = {"encoder": 2e-3, "head": 1e-2}
optimizers = {name: optim.Adam(part.parameters(), lr=rates[name]) for name, part in parts.items()}


def predict(x):
    return parts["head"](parts["encoder"](x))


def train_step(x, y):
    for o in optimizers.values():
        o.zero_grad()
    loss = F.cross_entropy(predict(x), y)
    loss.backward()
    for name in ("head",):
        optimizers[name].step()
    return loss.item()


X, Y = signals(900)
Xv, Yv = signals(300)
for epoch in range(8):
    shuffled = torch.randperm(len(X))
    losses = [train_step(X[i], Y[i]) for i in shuffled.split(45)]
    print(f"epoch {epoch} {sum(losses) / len(losses):.6f}")
with torch.no_grad():
    print(f"result: {(predict(Xv).argmax(1) == Yv).float().mean().item():.4f}")
