"""Homework 3: a three-layer network without nn.Module. Grades of apples from nine measurements."""
import numpy as np
import torch


def init(sizes, seed):
    g = torch.Generator().manual_seed(seed)
    params = {}
    for k, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
        params[f"W{k}"] = torch.randn(a, b, generator=g) * (2 / a) ** 0.5
        params[f"b{k}"] = torch.zeros(b)
    for p in params.values():
        p.requires_grad_(True)
    return params


def forward(params, x):
    depth = len(params) // 2
    for k in range(depth):
        x = x @ params[f"W{k}"] + params[f"b{k}"]
        if k < depth - 1:
            x = x.clamp(min=0)
    return x


def nll(scores, target):
    return (scores.logsumexp(1) - scores.gather(1, target[:, None])[:, 0]).mean()


def sgd(params, lr):
    with torch.no_grad():
        for p in params.values():
            p -= lr * p.grad
            p.grad = None


def apples(n, rng):
    grade = rng.integers(0, 4, n)
    centre = np.random.default_rng(0).normal(0, 1.3, (4, 9))
    x = centre[grade] + rng.normal(0, 1.0, (n, 9))
    return x.astype(np.float32), grade


class Table:
    def __init__(self, x, y):
        self.cols = {"x": torch.from_numpy(x), "y": torch.from_numpy(y)}

    def shuffled(self, g):
        order = torch.randperm(len(self.cols["y"]), generator=g)
        self.cols["x"] = self.cols["x"][order]
        return self

    def batches(self, size):
        for s in range(0, len(self.cols["y"]), size):
            yield {k: v[s:s + size] for k, v in self.cols.items()}


rng = np.random.default_rng(3)
g = torch.Generator().manual_seed(3)
train, test = Table(*apples(2000, rng)), Table(*apples(500, rng))
mean, std = train.cols["x"].mean(0), train.cols["x"].std(0)
for t in (train, test):
    t.cols["x"] = (t.cols["x"] - mean) / std
params = init([9, 64, 64, 4], seed=1)
for epoch in range(8):
    total = 0.0
    for batch in train.shuffled(g).batches(40):
        loss = nll(forward(params, batch["x"]), batch["y"])
        loss.backward()
        sgd(params, 0.1)
        total += loss.item() * len(batch["y"])
    print(f"epoch {epoch} loss {total / 2000:.6f}")
with torch.no_grad():
    right = (forward(params, test.cols["x"]).argmax(1) == test.cols["y"]).sum().item()
print(f"result: {right / 500:.4f}")
