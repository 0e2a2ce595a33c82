# Two cameras look at the same lantern sign; their pictures are averaged before a small CNN reads the sign.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE = 18
N_TRAIN, N_TEST = 1600, 400


def strokes(sign):
    # six signs: bars, a cross, a frame, a corner, a dot
    art = np.zeros((10, 10), dtype=np.float32)
    if sign == 0:
        art[:, 4:6] = 1
    elif sign == 1:
        art[4:6, :] = 1
    elif sign == 2:
        art[:, 4:6] = 1
        art[4:6, :] = 1
    elif sign == 3:
        art[:] = 1
        art[2:8, 2:8] = 0
    elif sign == 4:
        art[:, :2] = 1
        art[8:, :] = 1
    else:
        art[3:7, 3:7] = 1
    return art


def shoot(rng, n):
    sign = rng.integers(0, 6, n)
    left = np.empty((n, 1, SIZE, SIZE), dtype=np.uint8)
    right = np.empty_like(left)
    ramp = np.linspace(-1, 1, SIZE)
    for i, s in enumerate(sign):
        scene = 125 + 45 * rng.uniform(-1, 1) * ramp[:, None] + 45 * rng.uniform(-1, 1) * ramp[None, :]
        top, side = rng.integers(0, SIZE - 10, 2)
        scene[top : top + 10, side : side + 10] += rng.uniform(20, 42) * strokes(s)
        left[i, 0] = (scene + rng.normal(0, 18, scene.shape)).clip(0, 255).astype(np.uint8)
        right[i, 0] = (scene + rng.normal(0, 18, scene.shape)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(left), torch.from_numpy(right), sign


def merge(left, right):
    merged = (left.float() + right.float()) / 2
    return (merged - 125.0) / 50.0


def prepare(rng, n):
    left, right, sign = shoot(rng, n)
    return merge(left, right), torch.from_numpy(sign)


def build():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 6),
    )


def train_epoch(net, x, y, opt, batch=40):
    net.train()
    losses = []
    for idx in torch.randperm(len(x)).split(batch):
        loss = F.cross_entropy(net(x[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def accuracy(net, x, y):
    net.eval()
    hits = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(x.split(100), y.split(100)))
    return hits / len(y)


def main():
    torch.manual_seed(21)
    rng = np.random.default_rng(21)
    x, y = prepare(rng, N_TRAIN)
    x_test, y_test = prepare(rng, N_TEST)
    net = build()
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for epoch in range(8):
        print(epoch, f"{train_epoch(net, x, y, opt):.6f}")
    print(f"result: {accuracy(net, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
