import numpy as np
import torch


def daily_load(days, rng):
    hours = np.arange(days * 24)
    level = np.sin(2 * np.pi * hours / 24) + 0.4 * np.sin(2 * np.pi * hours / 168)
    return (level + rng.normal(0, 0.1, len(hours))).astype(np.float32)


def windows(series, past=24):
    x = np.stack([series[i:i + past] for i in range(len(series) - past)])
    return torch.from_numpy(x), torch.from_numpy(series[past:])


def model(x, p):
    h = torch.relu(x @ p["w1"] + p["b1"])
    return h @ p["w2"] + p["b2"]


def mse(prediction, truth):
    return ((prediction - truth) ** 2).mean()


def train(p, x, y, epochs=8, size=32):
    opt = torch.optim.Adam(p.values(), lr=3e-3)
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        running = 0.0
        for rows in order.split(size):
            loss = mse(model(x[rows], p), y[rows, None])
            opt.zero_grad()
            loss.backward()
            opt.step()
            running += loss.item() * len(rows)
        print(f"epoch {epoch + 1}: {running / len(x):.6f}")


def r2(p, x, y):
    residual = total = 0.0
    for rows in torch.arange(len(x)).split(64):
        with torch.no_grad():
            guess = model(x[rows], p).squeeze(1)
        residual += (guess - y[rows]).pow(2).sum().item()
        total += (y[rows] - y.mean()).pow(2).sum().item()
    return 1 - residual / total


if __name__ == "__main__":
    torch.manual_seed(11)
    rng = np.random.default_rng(11)
    series = daily_load(60, rng)
    x, y = windows(series[:1200])
    x_test, y_test = windows(series[1200:])
    p = {
        "w1": (torch.randn(24, 32) * (2 / 24) ** 0.5).requires_grad_(),
        "b1": torch.zeros(32, requires_grad=True),
        "w2": (torch.randn(32, 1) * (1 / 32) ** 0.5).requires_grad_(),
        "b2": torch.zeros(1, requires_grad=True),
    }
    train(p, x, y)
    print(f"result: {r2(p, x_test, y_test):.4f}")
