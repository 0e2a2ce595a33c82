import torch
import torch.nn.functional as F
from torch import nn


class Tower(nn.Module):
    def __init__(self, inputs=30, width=192, out=12):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Linear(width, out),
        )

    def forward(self, x):
        return F.normalize(self.net(x), dim=1)


class PairLoss(nn.Module):
    """Same kite: come close. Another kite: stay at least a margin away."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, left, right, same):
        distance = (left - right).pow(2).sum(dim=1).add(1e-8).sqrt()
        apart = (self.margin - distance).clamp(min=0)
        return (same * distance.pow(2) + (1 - same) * apart.pow(2)).mean()


class PairTrainer:
    def __init__(self, kites=25, seed=13):
        self.seed = seed
        torch.manual_seed(self.seed)
        self.kites = torch.randn(kites, 30)
        self.tower = Tower()
        self.loss = PairLoss()
        self.optimizer = torch.optim.Adam(self.tower.parameters(), lr=1e-3)
        self.left, self.right, self.same = self.pairs(2000)
        self.test = self.pairs(500)

    def pairs(self, count):
        first = torch.randint(0, len(self.kites), (count,))
        other = torch.randint(0, len(self.kites), (count,))
        same = torch.rand(count) < 0.5
        second = torch.where(same, first, other)
        views = [self.kites[k] + 0.8 * torch.randn(count, 30) for k in (first, second)]
        return views[0], views[1], (first == second).float()

    def epoch(self):
        self.tower.train()
        total = 0.0
        for rows in torch.randperm(len(self.same)).split(40):
            self.optimizer.zero_grad()
            loss = self.loss(self.tower(self.left[rows]), self.tower(self.right[rows]), self.same[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        return total / len(self.same)

    def fit(self, epochs):
        for number in range(1, epochs + 1):
            print(f"epoch {number}: {self.epoch():.6f}")

    @torch.no_grad()
    def score(self):
        self.tower.eval()
        left, right, same = self.test
        near = (self.tower(left) - self.tower(right)).norm(dim=1) < 0.6
        return (near == same.bool()).float().mean().item()


trainer = PairTrainer()
trainer.fit(epochs=7)
print(f"result: {trainer.score():.4f}")
