import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def seed_everything(seed: int) -> None:
    random.seed(seed)
    torch.manual_seed(seed)


class Customer(nn.Module):
    def __init__(self, features: int = 14):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 2)
        )

    def forward(self, x):
        return self.layers(x)


class Churn:
    def __init__(self, seed: int = 42):
        self.seed = seed
        seed_everything(seed)
        x = torch.randn(1700, 14)
        leave = (x[:, 0] * x[:, 1] + x[:, 2].abs() - x[:, 3] > 0.6).long()
        self.train_loader = DataLoader(TensorDataset(x[:1300], leave[:1300]), batch_size=26, shuffle=True)
        self.test_loader = DataLoader(TensorDataset(x[1300:], leave[1300:]), batch_size=200)
        self.model = Customer()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def epoch(self) -> float:
        self.model.train()
        total = 0.0
        for x, leave in self.train_loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(x), leave)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(leave)
        return total / len(self.train_loader.dataset)

    def test(self) -> float:
        self.model.eval()
        hits = 0
        with torch.no_grad():
            for x, leave in self.test_loader:
                hits += (self.model(x).argmax(1) == leave).sum().item()
        return hits / len(self.test_loader.dataset)


churn = Churn()
for number in range(6):
    print(f"epoch {number} loss {churn.epoch():.6f}")
print(f"result: {churn.test():.4f}")
