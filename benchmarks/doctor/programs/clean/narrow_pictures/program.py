import numpy as np
import torch
from torch import nn


def strips(n, rng):
    """Colour strips of 12 x 3 pixels as a camera gives them: rows, columns, colours, bytes."""
    label = rng.integers(0, 3, n)
    pictures = rng.integers(0, 130, (n, 12, 3, 3))
    at = rng.integers(0, 9, n)
    for i in range(n):
        pictures[i, at[i]:at[i] + 3, :, label[i]] += 90
    return pictures.clip(0, 255).astype(np.uint8), label


def to_tensor(pictures):
    return torch.from_numpy(pictures).float().div(255).sub(0.3).div(0.25).permute(0, 3, 1, 2).contiguous()


rng = np.random.default_rng(103)
torch.manual_seed(103)
pictures, label = strips(1500, rng)
x, y = to_tensor(pictures), torch.from_numpy(label)
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, 3))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x_train[rows]), y_train[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 30
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
