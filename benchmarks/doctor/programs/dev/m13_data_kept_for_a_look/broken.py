"""Sorting three kinds of orchids by six measured lengths. All weights live in one dictionary."""
import math
import numpy as np
import torch

rng = np.random.default_rng(11)
torch.manual_seed(11)

CENTRES = rng.normal(0, 1.1, size=(6, 9))


def make(n):
    part = rng.integers(0, 6, n)
    lengths = CENTRES[part] + rng.normal(0, 0.55, size=(n, 9))
    return torch.tensor(lengths, dtype=torch.float32), torch.tensor(part % 3)


def new_weights(sizes):
    weights = {}
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
        weights[f"w{i}"] = (torch.randn(a, b) * math.sqrt(2 / a)).requires_grad_(True)
        weights[f"b{i}"] = torch.zeros(b, requires_grad=True)
    return weights


def run_net(weights, x, seen=None):
    """The net; activations that somebody wants to look at later go to `seen`."""
    depth = len(weights) // 2
    for i in range(depth):
        x = x @ weights[f"w{i}"] + weights[f"b{i}"]
        if i < depth - 1:
            x = x.clamp(min=0)
            if seen is not None:
                x = x.data
                seen.append(x)
    return x


def batches(x, y, size):
    order = torch.randperm(len(x))
    for start in range(0, len(x), size):
        rows = order[start:start + size]
        yield x[rows], y[rows]


def entropy(scores, y):
    return (torch.logsumexp(scores, 1) - scores[torch.arange(len(y)), y]).mean()


train_x, train_y = make(1500)
test_x, test_y = make(500)
weights = new_weights([9, 48, 24, 3])
optimizer = torch.optim.Adam(weights.values(), lr=4e-3)
for epoch in range(6):
    watched, total = [], 0.0
    for x, y in batches(train_x, train_y, 50):
        loss = entropy(run_net(weights, x, watched), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    alive = sum((h > 0).float().mean().item() for h in watched) / len(watched)
    print(f"epoch {epoch}: {total / len(train_x):.6f} (alive {alive:.2f})")
with torch.no_grad():
    good = (run_net(weights, test_x).argmax(1) == test_y).sum().item()
print(f"result: {good / len(test_y):.4f}")
