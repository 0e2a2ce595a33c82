from dataclasses import dataclass

import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import softplus


@dataclass
class Settings:
    n_train: int = 2000
    n_test: int = 500
    batch: int = 50
    epochs: int = 10
    lr: float = 3e-3


def rents(n, gen):
    flat = torch.randn(n, 6, generator=gen)
    level = 1.1 * flat[:, 0] + torch.sin(2 * flat[:, 1]) - 0.6 * flat[:, 2] * flat[:, 3]
    spread = 0.1 + 0.3 * torch.sigmoid(flat[:, 4])
    return flat, level + spread * torch.randn(n, generator=gen)


class RentModel(nn.Module):
    """Predicts a mean rent and how sure it is of it."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean = nn.Linear(64, 1)
        self.scale = nn.Linear(64, 1)

    def forward(self, flat):
        h = self.trunk(flat)
        return Normal(self.mean(h).squeeze(-1), softplus(self.scale(h)).squeeze(-1) + 0.05)

    def training_loss(self, flat, y):
        dist = self(flat)
        return -dist.log_prob(y).mean()


class Experiment:
    def __init__(self, cfg):
        self.cfg = cfg
        gen = torch.Generator().manual_seed(77)
        self.train_x, self.train_y = rents(cfg.n_train, gen)
        self.test_x, self.test_y = rents(cfg.n_test, gen)
        self.model = RentModel()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=cfg.lr)

    def fit(self):
        for epoch in range(self.cfg.epochs):
            total = 0.0
            for rows in torch.randperm(self.cfg.n_train).split(self.cfg.batch):
                loss = self.model.training_loss(self.train_x[rows], self.train_y[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            print("epoch %d loss %.3f" % (epoch, total / self.cfg.n_train))

    def explained(self):
        with torch.no_grad():
            error = self.model(self.test_x).mean - self.test_y
        return 1.0 - (error.var(unbiased=False) + error.mean() ** 2).item() / self.test_y.var(unbiased=False).item()


torch.manual_seed(77)
experiment = Experiment(Settings())
experiment.fit()
print(f"result: {experiment.explained():.4f}")
