"""Lift of the air around a glider from its own flight log (speeds, angles, vario readings of the last seconds)."""
import numpy as np
import torch
from torch import nn


def flight_log(seconds, rng):
    speed = 28 + 4 * rng.standard_normal(seconds)
    angles = 0.2 * rng.standard_normal((seconds, 6))
    vario = rng.standard_normal((seconds, 20))
    lift = 1.2 * vario[:, -4:].mean(1) + np.sin(5 * angles[:, 0]) - 0.1 * (speed - 28) * np.cos(3 * angles[:, 1])
    lift += 0.5 * vario[:, 0] * vario[:, 1] + 0.1 * rng.standard_normal(seconds)
    return np.column_stack([speed, angles, vario]), lift


def split(log, lift, share=0.8):
    cut = int(share * len(lift))
    mean, std = log[:cut].mean(axis=0), log[:cut].std(axis=0)
    x = (log - mean) / std
    y = (lift - lift[:cut].mean()) / lift[:cut].std()
    to_tensor = torch.FloatTensor
    return tuple(to_tensor(part) for part in (x[:cut], y[:cut], x[cut:], y[cut:]))


def wind_net(features):
    return nn.Sequential(
        nn.Linear(features, 512), nn.ELU(),
        nn.Linear(512, 512), nn.ELU(),
        nn.Linear(512, 1), nn.Flatten(0),
    )


def epochs(net, x, y, count, batch):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    half = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    for epoch in range(count):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.huber_loss(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        half.step()
        yield epoch, total / len(x)


def explained(net, x, y):
    net.eval()
    with torch.no_grad():
        rest = y - net(x)
    return 1 - (rest.var() / y.var()).item()


def main():
    torch.manual_seed(16)
    log, lift = flight_log(2500, np.random.default_rng(16))
    x, y, x_test, y_test = split(log, lift)
    features = x.shape[1]
    net = wind_net(features)
    for epoch, loss in epochs(net, x, y, count=16, batch=80):
        print(f"epoch {epoch:2d}  {loss:.6f}")
    print(f"result: {explained(net, x_test, y_test):.4f}")


main()
