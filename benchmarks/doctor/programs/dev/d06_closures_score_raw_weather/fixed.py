"""Forecast the power of a small wind mill. Everything is a function that returns functions."""
import math
from functools import partial

import torch


def weather(n, g):
    wind = 3 + 9 * torch.rand(n, generator=g)
    angle = 360 * torch.rand(n, generator=g)
    temp = 10 + 8 * torch.randn(n, generator=g)
    press = 1013 + 9 * torch.randn(n, generator=g)
    power = 0.02 * wind ** 3 * (0.6 + 0.4 * torch.cos(angle * math.pi / 180)) - 0.05 * temp + 0.3 * torch.randn(n, generator=g)
    return torch.stack([wind, angle, temp, press], 1), power


def standard(x):
    mean, std = x.mean(0), x.std(0)
    return lambda z: (z - mean) / std


def network(sizes, g):
    weights = []
    for a, b in zip(sizes, sizes[1:]):
        weights.append(((torch.randn(a, b, generator=g) / math.sqrt(a)).requires_grad_(), torch.zeros(b).requires_grad_()))

    def apply(x):
        for w, b in weights[:-1]:
            x = torch.nn.functional.gelu(x @ w + b)
        w, b = weights[-1]
        return (x @ w + b).squeeze(1)

    return apply, [t for pair in weights for t in pair]


def squared(target_std, p, y):
    return ((p - y) / target_std).pow(2).mean()


def trainer(apply, weights, loss, lr):
    opt = torch.optim.Adam(weights, lr=lr)

    def epoch(x, y, size, g):
        order, total = torch.randperm(len(x), generator=g), 0.0
        for idx in order.split(size):
            opt.zero_grad()
            value = loss(apply(x[idx]), y[idx])
            value.backward()
            opt.step()
            total += value.item() * len(idx)
        return total / len(x)

    return epoch


def explained(apply, x, y):
    with torch.no_grad():
        p = torch.cat([apply(part) for part in x.split(100)])
    return 1 - ((p - y).pow(2).sum() / (y - y.mean()).pow(2).sum()).item()


g = torch.Generator().manual_seed(8)
(x_train, y_train), (x_test, y_test) = weather(2000, g), weather(500, g)
scale = standard(x_train)
apply, weights = network([4, 64, 64, 1], g)
run = trainer(apply, weights, partial(squared, y_train.std()), 5e-3)
for n in range(10):
    print(f"epoch {n}: {run(scale(x_train), y_train, 50, g):.6f}")
print(f"result: {explained(apply, scale(x_test), y_test):.4f}")
