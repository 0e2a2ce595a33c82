import math

import torch
from torch import nn


def simulate_load(n_hours, seed):
    """Hourly electricity demand: day and week rhythm, weather drift, noise."""
    g = torch.Generator().manual_seed(seed)
    t = torch.arange(n_hours, dtype=torch.float32)
    day = torch.sin(2 * math.pi * t / 24) + 0.4 * torch.sin(4 * math.pi * t / 24 + 0.7)
    week = 0.5 * torch.cos(2 * math.pi * t / 168)
    drift = torch.cumsum(torch.randn(n_hours, generator=g) * 0.05, 0)
    return 40 + 8 * (day + week) + 2 * drift + 1.2 * torch.randn(n_hours, generator=g)


def windows(series, length):
    pieces = series.unfold(0, length + 1, 1)
    return pieces[:, None, :-1], pieces[:, -1:]


def build_model():
    return nn.Sequential(
        nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(),
        nn.Conv1d(16, 16, 5, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * 22, 32), nn.ReLU(), nn.Linear(32, 1),
    )


def run_epoch(model, x, y, optimizer, batch_size=100):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(batch_size):
        loss = nn.functional.smooth_l1_loss(model(x[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


@torch.no_grad()
def r2(model, x, y):
    model.eval()
    return 1 - ((model(x) - y) ** 2).sum().item() / ((y - y.mean()) ** 2).sum().item()


def fit(model, x, y, epochs=8):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.4)
    for epoch in range(epochs):
        scheduler.step()
        loss = run_epoch(model, x, y, optimizer)
        print(f"epoch {epoch + 1}/{epochs} loss {loss:.4f} lr {scheduler.get_last_lr()[0]:.5f}")


def main():
    torch.manual_seed(0)
    series = simulate_load(2400, seed=1)
    past, future = series[:1900], series[1900:]
    mean, std = past.mean(), past.std()
    train_x, train_y = windows((past - mean) / std, 48)
    test_x, test_y = windows((future - mean) / std, 48)
    model = build_model()
    fit(model, train_x, train_y)
    print(f"R2 on the last weeks: {r2(model, test_x, test_y):.4f}")


main()
