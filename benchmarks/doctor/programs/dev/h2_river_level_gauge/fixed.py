import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def measurements(count, generator):
    """Seven gauges upstream, each between 0 and 1, and the level at the bridge a day later."""
    gauges = torch.rand(count, 7, generator=generator)
    level = 2 * gauges[:, 0] + torch.sin(4 * gauges[:, 1]) - gauges[:, 2] * gauges[:, 3]
    return gauges, level.unsqueeze(1) - 1.1


def start_values(module):
    if isinstance(module, nn.Linear):
        bound = math.sqrt(6 / module.in_features)
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)


def build(width):
    net = nn.Sequential(
        nn.Linear(7, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, 1),
    )
    return net.apply(start_values)


def fit(net, loader, epochs, lr):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    criterion = nn.HuberLoss()
    for epoch in range(epochs):
        net.train()
        seen, summed = 0, 0.0
        for gauges, level in loader:
            loss = criterion(net(gauges), level)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(level)
            summed += loss.item() * len(level)
        print(f"{epoch:3d} {summed / seen:.6f}")


def r2(net, gauges, level):
    net.eval()
    with torch.no_grad():
        rest = (net(gauges) - level).square().sum()
    return 1 - (rest / (level - level.mean()).square().sum()).item()


def main():
    torch.manual_seed(12)
    generator = torch.Generator().manual_seed(12)
    loader = DataLoader(TensorDataset(*measurements(1500, generator)), batch_size=50, shuffle=True)
    net = build(256)
    fit(net, loader, epochs=8, lr=3e-3)
    print(f"result: {r2(net, *measurements(400, generator)):.4f}")


if __name__ == "__main__":
    main()
