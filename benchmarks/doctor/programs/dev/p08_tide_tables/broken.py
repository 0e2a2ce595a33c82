"""Tide tables. Two evenings of training, with the laptop closed in between."""
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn


def tide(hours, rng):
    t = np.arange(hours)
    level = 1.6 * np.sin(2 * np.pi * t / 12.42) + 0.6 * np.sin(2 * np.pi * t / 12.0 + 1) + 0.4 * np.sin(2 * np.pi * t / 25.82)
    surge = np.zeros(hours)
    for i in range(1, hours):
        surge[i] = 0.95 * surge[i - 1] + 0.08 * rng.standard_normal()
    return level + surge + 0.03 * rng.standard_normal(hours)


class TideNet(nn.Module):
    def __init__(self, past, ahead):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.out = nn.Linear(24, ahead)

    def forward(self, window):
        h, _ = self.lstm(window.unsqueeze(-1))
        return self.out(h[:, -1])


class Evening:
    past, ahead = 36, 6

    def __init__(self, series, seed):
        torch.manual_seed(seed)
        cut = int(len(series) * 0.8)
        self.mid, self.span = series[:cut].mean(), series[:cut].std()
        self.train = self.cut_windows(series[:cut])
        self.later = self.cut_windows(series[cut:])
        self.net = TideNet(self.past, self.ahead)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=1e-2, betas=(0.9, 0.99))
        self.epoch = 0

    def cut_windows(self, part):
        z = torch.tensor((part - self.mid) / self.span, dtype=torch.float32)
        both = z.unfold(0, self.past + self.ahead, 2)
        return both[:, : self.past], both[:, self.past :]

    def work(self, until):
        x, y = self.train
        while self.epoch < until:
            self.net.train()
            total = 0.0
            for rows in torch.randperm(len(x)).split(64):
                loss = nn.functional.mse_loss(self.net(x[rows]), y[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            self.epoch += 1
            print(f"epoch {self.epoch:2d}  mse {total / len(x):.5f}")

    def close(self, path):
        torch.save({"net": self.net.state_dict(), "epoch": self.epoch}, path)

    def reopen(self, path):
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(state["net"])
        self.epoch = state["epoch"]

    def error_in_cm(self):
        self.net.eval()
        x, y = self.later
        with torch.no_grad():
            return 100 * self.span * (self.net(x) - y).abs().mean().item()


series = tide(3600, np.random.default_rng(3))
with tempfile.TemporaryDirectory() as folder:
    note = Path(folder) / "tide.pt"
    monday = Evening(series, seed=1)
    monday.work(until=6)
    monday.close(note)

    tuesday = Evening(series, seed=2)
    tuesday.reopen(note)
    tuesday.work(until=14)

print(f"mean error six hours ahead, last fifth of the record: {tuesday.error_in_cm():.3f} cm")
