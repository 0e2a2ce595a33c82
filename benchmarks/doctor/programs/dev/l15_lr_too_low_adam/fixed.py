from typing import NamedTuple

import torch
from torch import nn


class Settings(NamedTuple):
    lr: float = 1e-2
    epochs: int = 5
    batch: int = 32
    hidden: int = 40


class Spirals(torch.utils.data.Dataset):
    def __init__(self, n: int):
        arm = torch.arange(n) % 2
        r = torch.rand(n) * 2.5 + 0.3
        angle = 1.3 * r + arm * 3.1416
        self.points = torch.stack([r * angle.cos(), r * angle.sin()], 1) + 0.08 * torch.randn(n, 2)
        self.arm = arm

    def __len__(self):
        return len(self.arm)

    def __getitem__(self, index):
        return self.points[index], self.arm[index]


class Learner:
    def __init__(self, settings: Settings):
        self.settings = settings
        self.net = nn.Sequential(
            nn.Linear(2, settings.hidden), nn.Tanh(),
            nn.Linear(settings.hidden, settings.hidden), nn.Tanh(),
            nn.Linear(settings.hidden, 2),
        )
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr)

    def fit(self, data):
        loader = torch.utils.data.DataLoader(data, self.settings.batch, shuffle=True)
        for epoch in range(self.settings.epochs):
            self.net.train()
            losses = []
            for points, arm in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(points), arm)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            print(f"{epoch} {sum(losses) / len(losses):.6f}")
        return self

    def score(self, data):
        self.net.eval()
        with torch.no_grad():
            return (self.net(data.points).argmax(1) == data.arm).double().mean().item()


torch.manual_seed(28)
learner = Learner(Settings()).fit(Spirals(1600))
print(f"result: {learner.score(Spirals(400)):.4f}")
