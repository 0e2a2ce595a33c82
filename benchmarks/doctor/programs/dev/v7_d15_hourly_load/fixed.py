import numpy as np
import pandas as pd
import torch
from torch import nn

HISTORY = 48


def make_frame(hours=3200):
    rng = np.random.default_rng(5)
    t = np.arange(hours)
    temp = 12 + 7 * np.sin(2 * np.pi * t / 24 - 1.2) + 4 * np.sin(2 * np.pi * t / 720) + rng.normal(0, 1.0, hours)
    noise = np.zeros(hours)
    for i in range(1, hours):
        noise[i] = 0.7 * noise[i - 1] + rng.normal(0, 8)
    load = 500 + 90 * np.sin(2 * np.pi * t / 24) + 40 * np.sin(2 * np.pi * t / 12 + 0.5) - 3 * temp + noise
    return pd.DataFrame({"load": load, "temp": temp})


def cut_windows(frame):
    values = torch.tensor(frame[["load", "temp"]].to_numpy(), dtype=torch.float32)
    windows = values.unfold(0, HISTORY + 1, 1)          # (n, 2, HISTORY + 1)
    return windows[:, :, :-1].contiguous(), windows[:, 0, -1].contiguous()


def prepare():
    frame = make_frame()
    cut = int(len(frame) * 0.7)
    past, future = frame.iloc[:cut], frame.iloc[cut:]
    center, scale = past.mean(), past.std()
    past, future = (past - center) / scale, (future - center) / scale
    return cut_windows(past), cut_windows(future)


def build():
    return nn.Sequential(
        nn.Conv1d(2, 24, 5, padding=2), nn.ReLU(),
        nn.Conv1d(24, 24, 5, padding=4, dilation=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(24 * HISTORY, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))


def batches(x, y, size):
    order = torch.randperm(len(x))
    for part in order.split(size):
        yield x[part], y[part]


def train(net, x, y, epochs=12):
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for epoch in range(epochs):
        losses = []
        for xb, yb in batches(x, y, 64):
            opt.zero_grad()
            loss = nn.functional.mse_loss(net(xb), yb)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        sched.step()
        print(f"epoch {epoch:2d}  mse {np.mean(losses):.4f}")


def relative_error(net, x, y):
    net.eval()
    with torch.no_grad():
        residual = net(x) - y
    return (residual.pow(2).mean().sqrt() / y.std()).item()


def main():
    torch.manual_seed(3)
    (x_past, y_past), (x_future, y_future) = prepare()
    net = build()
    net.train()
    train(net, x_past, y_past)
    print(f"result: {relative_error(net, x_future, y_future):.4f}")


main()
