from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    windows: int = 1601
    held_out: int = 320
    samples: int = 96
    batch: int = 64
    epochs: int = 14
    lr: float = 2e-3
    seed: int = 11


def record(cfg, count, rng):
    t = np.arange(cfg.samples) / cfg.samples
    wear = rng.uniform(0, 1, size=(count, 1))
    phase = rng.uniform(0, 2 * np.pi, size=(count, 2))
    shaft = np.sin(2 * np.pi * 4 * t + phase[:, :1])
    rattle = (0.2 + wear) * np.sin(2 * np.pi * 19 * t + phase[:, 1:])
    noise = rng.normal(scale=0.3, size=(count, cfg.samples))
    return (shaft + rattle + noise).astype(np.float32), wear[:, 0].astype(np.float32)


class WearNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 24, 7, padding=3), nn.GroupNorm(4, 24), nn.ReLU(),
            nn.Conv1d(24, 32, 5, stride=2, padding=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(1), nn.Conv1d(32, 1, 1),
        )

    def forward(self, x):
        return self.body(x).flatten()


class LogCosh(nn.Module):
    def forward(self, guess, wanted):
        return torch.log(torch.cosh(guess - wanted)).mean()


class Trainer:
    def __init__(self, cfg):
        torch.manual_seed(cfg.seed)
        rng = np.random.default_rng(cfg.seed)
        x, y = record(cfg, cfg.windows, rng)
        x_new, y_new = record(cfg, cfg.held_out, rng)
        self.shift, self.scale = float(y.mean()), float(y.std())
        mean, std = x.mean(), x.std()
        self.fit_set = self._set((x - mean) / std, y)
        self.new_set = self._set((x_new - mean) / std, y_new)
        self.cfg, self.net, self.loss = cfg, WearNet(), LogCosh()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)

    def _set(self, x, y):
        y = (y - self.shift) / self.scale
        return TensorDataset(torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y))

    def fit(self):
        loader = DataLoader(self.fit_set, batch_size=self.cfg.batch, shuffle=True)
        for epoch in range(self.cfg.epochs):
            self.net.train()
            total = 0.0
            for x, y in loader:
                loss = self.loss(self.net(x), y)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(x)
            print(f"epoch {epoch}: {total / len(self.fit_set):.4f}")

    @torch.no_grad()
    def error(self):
        self.net.eval()
        off = 0.0
        for x, y in DataLoader(self.new_set, batch_size=self.cfg.batch):
            off += (self.net(x) - y).abs().sum().item()
        return self.scale * off / len(self.new_set)


trainer = Trainer(Config())
trainer.fit()
print(f"result: {trainer.error():.4f}")
