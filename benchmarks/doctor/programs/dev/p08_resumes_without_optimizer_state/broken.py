import os
import tempfile

import torch
from torch import nn


def windows(n, seed):
    g = torch.Generator().manual_seed(seed)
    start = torch.rand(n, 1, generator=g) * 6
    rate = 0.3 + torch.rand(n, 1, generator=g) * 0.4
    steps = torch.arange(13)
    wave = torch.sin(start + rate * steps) + 0.1 * torch.randn(n, 13, generator=g)
    return wave[:, :12], wave[:, 12:]


def build():
    model = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 1))
    return model, torch.optim.Adam(model.parameters(), lr=4e-3)


def train(model, optimizer, x, y, first, last):
    for epoch in range(first, last):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(x):.6f}")


def save(path, model, optimizer):
    torch.save({"model": model.state_dict()}, path)


def resume(path):
    model, optimizer = build()
    saved = torch.load(path, map_location="cpu")
    model.load_state_dict(saved["model"])
    return model, optimizer


torch.manual_seed(59)
x, y = windows(1600, seed=1)
x_test, y_test = windows(400, seed=2)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    model, optimizer = build()
    train(model, optimizer, x, y, 0, 3)
    save(path, model, optimizer)
    model, optimizer = resume(path)
    train(model, optimizer, x, y, 3, 6)

model.eval()
with torch.no_grad():
    unexplained = (model(x_test) - y_test).pow(2).mean() / y_test.var(unbiased=False)
print(f"result: {1 - unexplained.item():.4f}")
