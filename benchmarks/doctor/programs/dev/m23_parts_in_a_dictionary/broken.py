"""Which way did the ball go? Parts of a net in a dictionary, no class."""
import itertools
import torch
from torch import nn

torch.manual_seed(5)
parts = {
    "read": nn.GRU(2, 20),
    "norm": nn.LayerNorm(20),
    "say": nn.Linear(20, 4),
}


def paths(n):
    way = torch.randint(0, 4, (n,))
    turn = way * 1.5708
    step = torch.stack([turn.cos(), turn.sin()], 1)[:, None, :] * 0.25 + 0.5 * torch.randn(n, 9, 2)
    return step.cumsum(1), way


def guess(x):
    out, _ = parts["read"](x)
    return parts["say"](parts["norm"](out[:, -1]))


def every(x, y, size):
    order = torch.randperm(len(x)).tolist()
    it = iter(order)
    while rows := list(itertools.islice(it, size)):
        yield x[rows], y[rows]


x, y = paths(1500)
x_test, y_test = paths(400)
optimizer = torch.optim.Adam(itertools.chain(*(p.parameters() for p in parts.values())), lr=5e-3)
for epoch in range(5):
    losses = []
    for xb, yb in every(x, y, 50):
        loss = nn.functional.cross_entropy(guess(xb), yb)
        for p in parts.values():
            p.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses) / len(losses):.6f}")
with torch.no_grad():
    print(f"result: {(guess(x_test).argmax(1) == y_test).float().mean().item():.4f}")
