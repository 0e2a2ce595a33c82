"""Sort photos of awning fabric by the colour and the direction of their stripes."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def photo(label, rng, side=16):
    direction, tint = divmod(label, 3)
    rows, cols = np.mgrid[0:side, 0:side]
    along = [rows, cols][direction]
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * along / rng.uniform(4, 6) + rng.uniform(0, 6.28))
    picture = np.full((side, side, 3), 0.35)
    picture[..., tint] = 0.35 + 0.25 * (wave - 0.5)
    picture += rng.normal(0, 0.13, picture.shape)
    return (picture.clip(0, 1) * 255).astype(np.uint8)


def photo_archive(count, rng):
    labels = rng.integers(0, 6, count)
    return np.stack([photo(k, rng) for k in labels]), labels


def to_network(photos):
    """uint8 (N, height, width, 3) -> float (N, 3, height, width)"""
    x = torch.from_numpy(photos).float() / 255.0
    n, h, w, c = x.shape
    return x.permute(0, 3, 1, 2) - 0.35


def build():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(24, 6),
    )


def run_epoch(model, x, y, opt, size=60):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(size):
        loss = F.cross_entropy(model(x[idx]), y[idx])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    return total / len(x)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().mean().item()


def main():
    rng = np.random.default_rng(8)
    torch.manual_seed(8)
    photos, labels = photo_archive(1800, rng)
    x, y = to_network(photos), torch.from_numpy(labels)
    x_train, y_train, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]
    model = build()
    opt = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(5):
        print(f"{epoch}: train loss {run_epoch(model, x_train, y_train, opt):.6f}")
    print(f"result: {accuracy(model, x_test, y_test):.4f}")


main()
