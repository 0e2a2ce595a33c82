"""Forecast the water level of a harbour, one step ahead, from the last two days."""
import math

import torch
from torch import nn

WINDOW = 96
SIZE = 64
STEPS = 880


def water_level(hours, generator):
    t = torch.arange(hours, dtype=torch.float32) / 2
    moon = torch.sin(2 * math.pi * t / 12.42)
    sun = 0.45 * torch.sin(2 * math.pi * t / 12.0 + 0.7)
    daily = 0.3 * torch.sin(2 * math.pi * t / 23.93 + 1.9)
    weather = torch.zeros(hours)
    push = 0.03 * torch.randn(hours, generator=generator)
    for i in range(1, hours):
        weather[i] = 0.97 * weather[i - 1] + push[i]
    return moon + sun + daily + weather


def windows(level):
    rows = level.unfold(0, WINDOW + 1, 1)
    return rows[:, :WINDOW].contiguous(), rows[:, WINDOW:].contiguous()


def endless(x, y, size):
    start = 0
    while True:
        yield x[start : start + size], y[start : start + size]
        start = (start + size) % len(x)


def build_model():
    return nn.Sequential(
        nn.Linear(WINDOW, 384),
        nn.ReLU(),
        nn.Linear(384, 384),
        nn.ReLU(),
        nn.Linear(384, 1),
    )


def train(model, x, y, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    mse = nn.MSELoss()
    stream = endless(x, y, SIZE)
    running = 0.0
    for step in range(1, steps + 1):
        inputs, target = next(stream)
        optimizer.zero_grad()
        loss = mse(model(inputs), target)
        loss.backward()
        optimizer.step()
        running += loss.item()
        if step % 40 == 0:
            print(f"step {step} loss {running / 40:.6f}")
            running = 0.0


def explained(model, x, y):
    model.eval()
    with torch.no_grad():
        error = (model(x) - y).square().sum()
    return 1 - (error / (y - y.mean()).square().sum()).item()


def main():
    torch.manual_seed(21)
    generator = torch.Generator().manual_seed(4)
    level = water_level(3600, generator)
    train_x, train_y = windows(level[: 2560 + WINDOW])
    test_x, test_y = windows(level[2560 + WINDOW :])
    order = torch.randperm(len(train_x), generator=generator)
    train_x, train_y = train_x[order], train_y[order]
    model = build_model()
    train(model, train_x, train_y, STEPS)
    print(f"result: {explained(model, test_x, test_y):.4f}")


if __name__ == "__main__":
    main()
