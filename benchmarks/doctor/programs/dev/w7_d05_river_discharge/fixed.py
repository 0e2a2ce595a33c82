import numpy as np
import torch
from torch import nn

WINDOW, BATCH, EPOCHS = 24, 64, 6


def simulate(days, rng):
    """Daily discharge (m3/s), rain (mm) and water temperature (C) of a small catchment."""
    day = np.arange(days)
    temp = 9 - 7 * np.cos(2 * np.pi * day / 365) + np.convolve(rng.normal(size=days), np.ones(5) / 5, "same")
    rain = rng.gamma(0.6, 7.0, size=days) * (rng.random(days) < 0.45)
    store, flow = 60.0, np.zeros(days)
    for i in range(days):
        store += rain[i] * (1.2 - 0.03 * temp[i])
        flow[i] = 0.05 * store + 0.0009 * store ** 2
        store = max(store - flow[i] - 0.1 * max(temp[i], 0), 20.0)
    flow = flow + 6.0 + 0.2 * rng.normal(size=days)
    return np.stack([flow, rain, temp], axis=1).astype(np.float32)


def windows(inputs, target, window):
    x = torch.from_numpy(np.stack([inputs[i:i + window] for i in range(len(inputs) - window)]))
    y = torch.from_numpy(target[window:])
    return x, y


class Forecaster(nn.Module):
    """Takes a window of gauge readings, standardises it and predicts the next discharge."""

    def __init__(self, mean, std, hidden=32):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))
        self.gru = nn.GRU(len(mean), hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        x = (x - self.mean) / self.std
        h, _ = self.gru(x)
        return self.out(h[:, -1]).squeeze(-1)


def train_epoch(model, optimizer, x, y):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(BATCH):
        loss = nn.functional.mse_loss(model(x[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


def rmse(model, x, y):
    model.eval()
    with torch.no_grad():
        pred = torch.cat([model(chunk) for chunk in x.split(256)])
    return (pred - y).pow(2).mean().sqrt().item()


def main():
    torch.manual_seed(0)
    series = simulate(4000, np.random.default_rng(0))
    cut = 3200
    mean, std = series[:cut].mean(0), series[:cut].std(0)
    scaled = (series - mean) / std
    x_train, y_train = windows(series[:cut], scaled[:cut, 0], WINDOW)
    x_test, y_test = windows(series[cut:], scaled[cut:, 0], WINDOW)

    model = Forecaster(mean, std)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(EPOCHS):
        loss = train_epoch(model, optimizer, x_train, y_train)
        print(f"epoch {epoch}: train mse {loss:.4f}")
    print(f"result: {rmse(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
