"""Guess the size of a coloured ball (regression) from camera frames, height x width x colour."""
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Frames(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[0:16, 0:16]
        self.items = []
        for _ in range(n):
            size, cy, cx = rng.uniform(2, 6), rng.uniform(6, 10), rng.uniform(6, 10)
            ball = (np.hypot(yy - cy, xx - cx) < size)[..., None] * rng.uniform(0.3, 1, 3)
            self.items.append(((ball + rng.normal(0, 0.25, (16, 16, 3))).astype(np.float32), np.float32(size)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class SizeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU())
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(16 * 25, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, frame):
        b, h, w, c = frame.shape
        planes = frame.view(b, c, h, w)
        return 4 + self.head(self.features(planes)).squeeze(1)


class Learner:
    def __init__(self, train, test):
        self.train_data, self.test_data = train, test
        self.net = SizeNet()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=2e-3)

    def train_one(self):
        self.net.train()
        total = 0.0
        for frame, size in DataLoader(self.train_data, 40, shuffle=True):
            loss = nn.functional.smooth_l1_loss(self.net(frame), size)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            total += loss.item() * len(size)
        return total / len(self.train_data)

    def r2(self):
        self.net.eval()
        with torch.no_grad():
            parts = [(self.net(f), s) for f, s in DataLoader(self.test_data, 100)]
        p, s = (torch.cat(c) for c in zip(*parts))
        return 1 - ((p - s).pow(2).mean() / s.var(unbiased=False)).item()


torch.manual_seed(0)
learner = Learner(Frames(1200, 1), Frames(300, 2))
for e in range(5):
    print(f"epoch {e} {learner.train_one():.6f}")
print(f"result: {learner.r2():.4f}")
