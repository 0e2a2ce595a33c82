import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

STEPS = {0: (0, 1), 1: (0, -1), 2: (1, 0), 3: (-1, 0), 4: (1, 1)}


def record_clips(n, rng, frames=5, size=24):
    clips = np.empty((n, frames, size, size), dtype=np.uint8)
    labels = rng.integers(0, len(STEPS), n)
    for k in range(n):
        room = rng.integers(60, 140) + 20.0 * rng.standard_normal((size, size))
        dy, dx = STEPS[int(labels[k])]
        y, x = rng.integers(7, size - 12, 2)
        glow = rng.choice([-1, 1]) * rng.uniform(18, 36)
        for t in range(frames):
            frame = room + 8.0 * rng.standard_normal((size, size))
            frame[y + t * dy:y + t * dy + 5, x + t * dx:x + t * dx + 5] += glow
            clips[k, t] = np.clip(frame, 0, 255)
    return clips, torch.from_numpy(labels)


def frame_differences(clips):
    frames = clips.astype(np.float32) / 255.0
    return torch.from_numpy(frames[:, 1:] - frames[:, :-1])


def build_network(frames, classes):
    return nn.Sequential(
        nn.Conv2d(frames - 1, 16, 5, padding=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(128, classes))


def accuracy(net, loader):
    net.eval()
    hits = total = 0
    with torch.no_grad():
        for clip, label in loader:
            hits += (net(clip).argmax(1) == label).sum().item()
            total += len(label)
    return hits / total


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--epochs", type=int, default=8)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--seed", type=int, default=4)
    args = ap.parse_args([])
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    clips, labels = record_clips(1800, rng)
    x = frame_differences(clips)
    train_x, test_x = x[:1300], x[1300:]
    mean, std = train_x.mean(), train_x.std()
    train_x, test_x = (train_x - mean) / std, (test_x - mean) / std
    train = DataLoader(TensorDataset(train_x, labels[:1300]), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(test_x, labels[1300:]), batch_size=250)

    net = build_network(clips.shape[1], len(STEPS))
    opt = torch.optim.AdamW(net.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        net.train()
        running = 0.0
        for clip, label in train:
            opt.zero_grad()
            loss = F.cross_entropy(net(clip), label)
            loss.backward()
            opt.step()
            running += loss.item() * len(label)
        print(f"epoch {epoch:2d}  loss {running / len(train_x):.3f}")
    print(f"result: {accuracy(net, test):.4f}")


if __name__ == "__main__":
    main()
