# Frost tonight? A model of the upper valley is carried over to the lower valley.
import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def nights(n, tilt, seed):
    """Readings of 18 instruments; `tilt` says how a valley mixes them."""
    g = torch.Generator().manual_seed(seed)
    readings = torch.randn(n, 18, generator=g)
    mix = torch.randn(18, 3, generator=torch.Generator().manual_seed(100))
    turn = torch.randn(18, 3, generator=torch.Generator().manual_seed(200))
    parts = readings @ (mix + tilt * turn) / 4
    level = torch.sin(2 * parts[:, 0]) + parts[:, 1] * parts[:, 2] + 0.4 * parts[:, 1]
    return TensorDataset(readings, (level + 0.1 * torch.randn(n, generator=g) > 0).long())


def make_net():
    return nn.Sequential(nn.Linear(18, 480), nn.Tanh(), nn.Linear(480, 480), nn.ReLU(), nn.Linear(480, 2))


def learn_base(data, epochs, lr):
    base = make_net()
    optimizer = torch.optim.Adam(base.parameters(), lr=lr, weight_decay=1e-5)
    run(base, optimizer, data, epochs, "upper")
    return base


def adapt(base, data, epochs, lr):
    local = copy.deepcopy(base)
    optimizer = torch.optim.Adam(base.parameters(), lr=lr)
    run(local, optimizer, data, epochs, "lower")
    return local


def run(net, optimizer, data, epochs, place):
    loader = DataLoader(data, batch_size=64, shuffle=True)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for readings, frost in loader:
            loss = loss_fn(net(readings), frost)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(frost)
        print(f"{place} {epoch + 1} {total / len(data):.6f}")


@torch.no_grad()
def accuracy(net, data):
    net.eval()
    good = 0
    for readings, frost in DataLoader(data, batch_size=128):
        good += (net(readings).max(dim=1).indices == frost).sum().item()
    return good / len(data)


def main():
    torch.manual_seed(64)
    upper = nights(1800, tilt=0.0, seed=1)
    lower = nights(2300, tilt=0.9, seed=2)
    lower_train, lower_test = random_split(lower, [1800, 500])
    base = learn_base(upper, epochs=8, lr=1e-3)
    local = adapt(base, lower_train, epochs=12, lr=1e-3)
    print(f"result: {accuracy(local, lower_test):.4f}")


main()
