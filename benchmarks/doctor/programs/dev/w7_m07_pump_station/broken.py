import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

TASKS = {"state": 4, "load": 3}


def readings(count, seed=0):
    rng = np.random.default_rng(seed)
    where = {name: rng.normal(size=(n, 20)) for name, n in TASKS.items()}
    labels = {name: rng.integers(0, n, size=count) for name, n in TASKS.items()}
    x = 0.8 * where["state"][labels["state"]] + 0.8 * where["load"][labels["load"]]
    x = x * np.where(rng.random((count, 1)) < 0.5, 1.0, 0.6) + rng.normal(scale=1.0, size=(count, 20))
    return torch.tensor(x, dtype=torch.float32), {k: torch.from_numpy(v) for k, v in labels.items()}


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers)


def build(width):
    return nn.ModuleDict({
        "trunk": mlp(width, 128, 128),
        "heads": nn.ModuleDict({name: mlp(128, 64, n) for name, n in TASKS.items()}),
    })


def predict(net, x):
    shared = net["trunk"](x)
    return {name: head(shared) for name, head in net["heads"].items()}


def train(net, x, labels, steps=350, batch=64):
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    gen = torch.Generator().manual_seed(1)
    net.train()
    for step in range(1, steps + 1):
        rows = torch.randint(0, len(x), (batch,), generator=gen)
        out = predict(net, x[rows])
        loss = sum(cross_entropy(out[name], labels[name][rows]) for name in TASKS)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.3f}")


def test(net, x, labels):
    net.eval()
    with torch.no_grad():
        out = predict(net, x)
    hits = [(out[name].argmax(1) == labels[name]).float().mean().item() for name in TASKS]
    return sum(hits) / len(hits)


def main():
    torch.manual_seed(0)
    x, labels = readings(3500)
    cut = 2800
    x = (x - x[:cut].mean(0)) / x[:cut].std(0)
    net = build(x.shape[1])
    train(net, x[:cut], {k: v[:cut] for k, v in labels.items()})
    print(f"result: {test(net, x[cut:], {k: v[cut:] for k, v in labels.items()}):.4f}")


main()
