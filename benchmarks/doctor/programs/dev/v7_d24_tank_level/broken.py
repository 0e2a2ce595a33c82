from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    train_size: int = 1601
    test_size: int = 450
    length: int = 24
    hidden: int = 48
    batch: int = 32
    epochs: int = 8
    lr: float = 3e-3


def simulate(n, length):
    """Inflow of a leaking tank and the state of its valve; wanted is the level at the end."""
    inflow = torch.rand(n, length)
    valve = (torch.rand(n, length) < 0.6).float()
    level = torch.zeros(n)
    for t in range(length):
        level = 0.85 * level + inflow[:, t] * valve[:, t]
    return torch.stack([inflow, valve], dim=2), level.unsqueeze(1)


class LevelNet(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.head(h.squeeze())


def log_cosh(pred, target):
    d = pred - target
    return (d + nn.functional.softplus(-2.0 * d) - 0.6931472).mean()


class Experiment:
    def __init__(self, cfg):
        self.cfg = cfg
        x, y = simulate(cfg.train_size, cfg.length)
        x_new, y_new = simulate(cfg.test_size, cfg.length)
        mx, sx, my, sy = x.mean((0, 1)), x.std((0, 1)), y.mean(), y.std()
        self.train_loader = DataLoader(TensorDataset((x - mx) / sx, (y - my) / sy), batch_size=cfg.batch, shuffle=True)
        self.test_loader = DataLoader(TensorDataset((x_new - mx) / sx, (y_new - my) / sy), batch_size=90)
        self.net = LevelNet(cfg.hidden)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)
        self.sched = torch.optim.lr_scheduler.StepLR(self.opt, step_size=4, gamma=0.3)

    def run_epoch(self):
        self.net.train()
        total = 0.0
        for x, y in self.train_loader:
            self.opt.zero_grad()
            loss = log_cosh(self.net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.opt.step()
            total += loss.item() * x.size(0)
        self.sched.step()
        return total / self.cfg.train_size

    def evaluate(self):
        self.net.eval()
        total = 0.0
        with torch.no_grad():
            for x, y in self.test_loader:
                total += (self.net(x) - y).abs().sum().item()
        return total / self.cfg.test_size

    def run(self):
        for epoch in range(self.cfg.epochs):
            print(f"epoch {epoch}  loss {self.run_epoch():.5f}")
        print(f"result: {self.evaluate():.4f}")


torch.manual_seed(2024)
Experiment(Config()).run()
