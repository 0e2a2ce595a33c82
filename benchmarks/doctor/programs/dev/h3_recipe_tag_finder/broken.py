from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

TAGS = 8
INGREDIENTS = 150
EACH = 3


def cook(count: int, taste: np.random.Generator, favourites: np.ndarray) -> tuple[Tensor, Tensor]:
    """Recipes as counted ingredients, each with exactly three tags."""
    amounts = np.zeros((count, INGREDIENTS), np.float32)
    tags = np.zeros((count, TAGS), np.float32)
    for row in range(count):
        chosen = taste.choice(TAGS, EACH, replace=False)
        tags[row, chosen] = 1
        for tag in chosen:
            amounts[row, taste.choice(favourites[tag], 4)] += 1
        amounts[row, taste.integers(0, INGREDIENTS, 4)] += 1
    return torch.from_numpy(amounts), torch.from_numpy(tags)


class TagNet(nn.Module):
    def __init__(self, hidden: int = 512) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(INGREDIENTS, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 256),
            nn.ReLU(),
        )
        self.head = nn.Linear(256, TAGS)

    def forward(self, amounts: Tensor) -> Tensor:
        scores = self.head(self.body(amounts))
        return torch.sigmoid(scores)


class Trainer:
    def __init__(self, net: nn.Module, lr: float, epochs: int) -> None:
        self.net = net
        self.epochs = epochs
        self.loss = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr)

    def fit(self, train: DataLoader, test: DataLoader) -> None:
        for epoch in range(self.epochs):
            mean = self._epoch(train)
            print(f"{epoch:02d} loss={mean:.6f} found={self.validate(test):.4f}")

    def _epoch(self, loader: DataLoader) -> float:
        self.net.train()
        total, seen = 0.0, 0
        for amounts, tags in loader:
            self.optimizer.zero_grad()
            loss = self.loss(self.net(amounts), tags)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(amounts)
            seen += len(amounts)
        return total / seen

    @torch.no_grad()
    def validate(self, loader: DataLoader) -> float:
        """Which share of the three tags with the highest scores is right."""
        self.net.eval()
        found, wanted = 0.0, 0
        for amounts, tags in loader:
            best = self.net(amounts).topk(EACH, dim=1).indices
            found += tags.gather(1, best).sum().item()
            wanted += EACH * len(tags)
        return found / wanted


if __name__ == "__main__":
    torch.manual_seed(17)
    torch.autograd.set_detect_anomaly(True)
    taste = np.random.default_rng(17)
    favourites = np.stack([taste.choice(INGREDIENTS, 18, replace=False) for _ in range(TAGS)])
    train = TensorDataset(*cook(2400, taste, favourites))
    test = TensorDataset(*cook(600, taste, favourites))
    trainer = Trainer(TagNet(), lr=1e-3, epochs=14)
    test_loader = DataLoader(test, batch_size=200)
    trainer.fit(DataLoader(train, batch_size=100, shuffle=True), test_loader)
    print(f"result: {trainer.validate(test_loader):.4f}")
