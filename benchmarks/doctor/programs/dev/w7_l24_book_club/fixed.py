import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

READERS, BOOKS = 300, 200


def clicks(seed):
    """Which reader opened which book, and a held-out tenth of it."""
    rng = np.random.default_rng(seed)
    taste = rng.standard_normal((READERS, 4))
    style = rng.standard_normal((BOOKS, 4))
    appeal = taste @ style.T + 0.8 * rng.standard_normal(BOOKS)
    opened = rng.random((READERS, BOOKS)) < 1 / (1 + np.exp(-(1.5 * appeal - 2.0)))
    pairs = np.argwhere(opened)
    rng.shuffle(pairs)
    cut = len(pairs) // 10
    return opened, torch.from_numpy(pairs[cut:]), torch.from_numpy(pairs[:cut]), rng


def not_opened(readers, opened, rng):
    books = rng.integers(0, BOOKS, len(readers))
    clash = opened[readers, books]
    while clash.any():
        books[clash] = rng.integers(0, BOOKS, clash.sum())
        clash = opened[readers, books]
    return torch.from_numpy(books)


class TwoTower(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.reader = nn.Embedding(READERS, dim)
        self.book = nn.Embedding(BOOKS, dim)
        self.reader_tower = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, dim))
        self.book_tower = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, dim))

    def forward(self, readers, books):
        left = self.reader_tower(self.reader(readers))
        right = self.book_tower(self.book(books))
        return (left * right).sum(-1)


def train_epoch(model, optimizer, pairs, opened, rng, batch=256):
    model.train()
    total = 0.0
    for chunk in pairs[torch.from_numpy(rng.permutation(len(pairs)))].split(batch):
        readers, liked = chunk.T
        other = not_opened(readers.numpy(), opened, rng)
        optimizer.zero_grad()
        loss = -F.logsigmoid(model(readers, liked) - model(readers, other)).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chunk)
    return total / len(pairs)


@torch.no_grad()
def auc(model, pairs, opened):
    """Share of held-out books ranked above the books never opened by the same reader."""
    model.eval()
    grid = torch.stack([model(torch.full((BOOKS,), r), torch.arange(BOOKS)) for r in range(READERS)])
    unopened = torch.from_numpy(~opened)
    shares = [(grid[r][unopened[r]] < grid[r, b]).float().mean().item() for r, b in pairs.tolist()]
    return sum(shares) / len(shares)


def main(epochs=10, lr=4e-3, decay=0.8):
    torch.manual_seed(14)
    opened, train_pairs, test_pairs, rng = clicks(14)
    model = TwoTower()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr * decay ** epoch
        loss = train_epoch(model, optimizer, train_pairs, opened, rng)
        print(f"epoch {epoch + 1}: bpr {loss:.4f}")
    print(f"result: {auc(model, test_pairs, opened):.4f}")


main()
