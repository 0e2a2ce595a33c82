from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class ResMLPConfig:
    in_dim: int = 8
    width: int = 48
    depth: int = 3
    lr: float = 2e-3
    epochs: int = 12
    batch_size: int = 64


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))


class ResMLP(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.stem = nn.Linear(cfg.in_dim, cfg.width)
        self.blocks = nn.ModuleList([Block(cfg.width) for _ in range(cfg.depth)])
        self.head = nn.Linear(cfg.width, 1)

    def forward(self, x):
        x = torch.nn.functional.gelu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def kinematics(n):
    """How far from its base is the hand of a four-joint arm? (angles and link lengths)"""
    angle = (torch.rand(n, 4) - 0.5) * 3.0
    link = 0.5 + torch.rand(n, 4)
    bend = angle.cumsum(1)
    x, y = (link * bend.cos()).sum(1), (link * bend.sin()).sum(1)
    distance = (x ** 2 + y ** 2).sqrt() + 0.1 * torch.randn(n)
    return torch.cat([angle, (link - 1) * 3], 1), distance.unsqueeze(1)


class Regressor:
    def __init__(self, cfg):
        self.cfg = cfg
        self.model = ResMLP(cfg)
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=cfg.lr, weight_decay=1e-4)

    def fit(self, x, y):
        self.shift, self.scale = y.mean(), y.std()
        y = (y - self.shift) / self.scale
        for epoch in range(self.cfg.epochs):
            self.model.train()
            losses = []
            for idx in torch.randperm(len(x)).split(self.cfg.batch_size):
                self.opt.zero_grad()
                loss = nn.functional.mse_loss(self.model(x[idx]), y[idx])
                loss.backward()
                self.opt.step()
                losses.append(loss.item())
            if epoch % 3 == 2:
                print(f"epoch {epoch + 1}: mse {sum(losses) / len(losses):.4f}")
        return self

    @torch.no_grad()
    def predict(self, x):
        self.model.eval()
        return self.model(x) * self.scale + self.shift


torch.manual_seed(14)
train_x, train_y = kinematics(2000)
test_x, test_y = kinematics(600)
pred = Regressor(ResMLPConfig()).fit(train_x, train_y).predict(test_x)
r2 = 1 - ((pred - test_y) ** 2).mean() / test_y.var()
print(f"test R2 {r2.item():.4f}")
