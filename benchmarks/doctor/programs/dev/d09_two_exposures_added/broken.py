"""Two camera exposures are put together before the network sees them."""
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn


@dataclass
class Shot:
    dark: np.ndarray
    light: np.ndarray
    label: int

    def fused(self):
        return (self.dark + self.light) // 2


@dataclass
class Album:
    shots: list = field(default_factory=list)

    def record(self, n, rng):
        yy, xx = np.mgrid[0:12, 0:12] / 11.0
        for _ in range(n):
            k = int(rng.integers(4))
            ramp = [xx, 1 - xx, yy, 1 - yy][k]
            scene = 0.25 + 0.6 * ramp + rng.normal(0, 0.2, (12, 12))
            dark = (150 * scene).clip(0, 255).astype(np.uint8)
            light = (250 * scene + 10).clip(0, 255).astype(np.uint8)
            self.shots.append(Shot(dark, light, k))
        return self

    def arrays(self):
        x = np.stack([s.fused() for s in self.shots]).astype(np.float32) / 255
        return torch.from_numpy(x)[:, None], torch.tensor([s.label for s in self.shots])


def stream(x, y, size, g):
    while True:
        for idx in torch.randperm(len(x), generator=g).split(size):
            yield x[idx], y[idx]


def train(net, batches, steps, opt):
    net.train()
    mean = 0.0
    for n in range(1, steps + 1):
        x, y = next(batches)
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        mean += loss.item()
        if n % 40 == 0:
            print(f"step {n}: {mean / 40:.6f}")
            mean = 0.0


if __name__ == "__main__":
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    x, y = Album().record(1400, rng).arrays()
    xt, yt = Album().record(400, rng).arrays()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    train(net, stream(x, y, 40, torch.Generator().manual_seed(1)), 160, opt)
    net.eval()
    with torch.inference_mode():
        score = (net(xt).argmax(1) == yt).float().mean().item()
    print(f"result: {score:.4f}")
