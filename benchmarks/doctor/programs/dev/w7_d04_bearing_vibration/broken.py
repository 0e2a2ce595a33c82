from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    n_train: int = 1600
    n_test: int = 600
    length: int = 160
    batch: int = 40
    epochs: int = 5
    lr: float = 1e-3
    seed: int = 3


PERIODS = (0, 11, 17, 26)      # healthy, inner race, outer race, ball


def record(rng, kind, length):
    """One accelerometer record as the 12-bit converter delivers it."""
    t = np.arange(length)
    sig = 0.6 * np.sin(2 * np.pi * (0.03 * t + rng.random())) + 0.45 * rng.normal(size=length)
    if kind:
        ring = np.exp(-np.arange(8) / 2.5) * np.cos(np.arange(8) * 1.9)
        for start in range(rng.integers(PERIODS[kind]), length - 8, PERIODS[kind]):
            sig[start:start + 8] += 1.6 * rng.uniform(0.6, 1.3) * ring
    return np.clip(2048 + 240 * sig, 0, 4095).astype(np.int16)


def acquire(rng, n, length):
    kinds = rng.integers(len(PERIODS), size=n)
    counts = np.stack([record(rng, k, length) for k in kinds])
    return counts[:, None, :], kinds


class BearingNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 9, stride=2, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 48, 9, padding=4), nn.ReLU(),
            nn.Conv1d(48, 48, 9, padding=4), nn.ReLU())
        self.head = nn.Linear(96, classes)

    def forward(self, x):
        f = self.features(x)
        return self.head(torch.cat([f.mean(-1), f.amax(-1)], dim=1))


class Trainer:
    def __init__(self, cfg):
        self.cfg = cfg
        torch.manual_seed(cfg.seed)
        rng = np.random.default_rng(cfg.seed)
        x_train, y_train = acquire(rng, cfg.n_train, cfg.length)
        x_test, y_test = acquire(rng, cfg.n_test, cfg.length)
        x_train, x_test = x_train.astype(np.float32), x_test.astype(np.float32)
        self.train_loader = self.loader(x_train, y_train, True)
        self.test_loader = self.loader(x_test, y_test, False)
        self.net = BearingNet(len(PERIODS))
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)

    def loader(self, x, y, shuffle):
        data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        return DataLoader(data, batch_size=self.cfg.batch, shuffle=shuffle)

    def fit(self):
        for epoch in range(self.cfg.epochs):
            self.net.train()
            total = 0.0
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(y)
            print(f"epoch {epoch + 1}: loss {total / self.cfg.n_train:.4f}")

    @torch.no_grad()
    def accuracy(self):
        self.net.eval()
        hits = sum((self.net(x).argmax(1) == y).sum().item() for x, y in self.test_loader)
        return hits / self.cfg.n_test


trainer = Trainer(Config())
trainer.fit()
print(f"result: {trainer.accuracy():.4f}")
