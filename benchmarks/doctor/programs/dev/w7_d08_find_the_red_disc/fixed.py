import argparse

import numpy as np
import torch
from torch import nn


def draw_scene(rng, size):
    """One picture as a camera gives it: rows, columns, colours (uint8)."""
    img = rng.integers(0, 60, (size, size, 3))
    yy, xx = np.mgrid[0:size, 0:size]
    for colour in ([30, 200, 40], [40, 60, 220], [220, 40, 40]):
        cx, cy = rng.uniform(4, size - 4, 2)
        disc = (xx - cx) ** 2 + (yy - cy) ** 2 < rng.uniform(2.5, 4) ** 2
        img[disc] = np.array(colour) + rng.integers(-20, 20, 3)
    return img.clip(0, 255).astype(np.uint8), (cx / size, cy / size)


def make_set(n, size, seed):
    rng = np.random.default_rng(seed)
    scenes = [draw_scene(rng, size) for _ in range(n)]
    return np.stack([s[0] for s in scenes]), np.array([s[1] for s in scenes], dtype=np.float32)


def prepare(pictures, mean, std):
    scaled = ((pictures - mean) / std).astype(np.float32)
    n, height, width, channels = scaled.shape
    return torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous()


def build_model():
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(24 * 6 * 6, 64), nn.ReLU(), nn.Linear(64, 2))


def batches(x, y, size):
    order = torch.randperm(len(x))
    for start in range(0, len(x), size):
        idx = order[start:start + size]
        yield x[idx], y[idx]


def train(model, x, y, args):
    opt = torch.optim.AdamW(model.parameters(), lr=args.lr)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=args.epochs)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for xb, yb in batches(x, y, args.batch):
            loss = nn.functional.smooth_l1_loss(model(xb), yb, beta=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(xb)
        sched.step()
        print(f"epoch {epoch}: {total / len(x):.5f}")


@torch.no_grad()
def mean_distance(model, x, y):
    model.eval()
    return (model(x) - y).norm(dim=1).mean().item()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--epochs", type=int, default=12)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--lr", type=float, default=2e-3)
    args = ap.parse_args([])
    torch.manual_seed(0)
    pics, where = make_set(1000, 24, seed=1)
    test_pics, test_where = make_set(400, 24, seed=2)
    mean, std = pics.mean((0, 1, 2)), pics.std((0, 1, 2))
    x, test_x = prepare(pics, mean, std), prepare(test_pics, mean, std)
    model = build_model()
    train(model, x, torch.from_numpy(where), args)
    print(f"result: {mean_distance(model, test_x, torch.from_numpy(test_where)):.4f}")


if __name__ == "__main__":
    main()
