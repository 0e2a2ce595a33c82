import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Shelf(Dataset):
    """Pictures of fruit, one kind after the other, as they lie in their folders."""

    KINDS = {"apple": (0.8, 0.2, 0.15), "kiwi": (0.45, 0.5, 0.2), "lime": (0.5, 0.75, 0.2), "peach": (0.9, 0.6, 0.35), "plum": (0.45, 0.15, 0.4)}

    def __init__(self, per_kind, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[0:12, 0:12]
        self.items = []
        for label, colour in enumerate(self.KINDS.values()):
            for _ in range(per_kind):
                cy, cx, r = rng.uniform(4, 8), rng.uniform(4, 8), rng.uniform(2.5, 4.5)
                inside = np.hypot(yy - cy, xx - cx) < r
                tint = np.array(colour) + rng.normal(0, 0.07, 3)
                picture = 0.6 + rng.normal(0, 0.1, (3, 12, 12))
                picture = np.where(inside, tint[:, None, None] + rng.normal(0, 0.1, (3, 12, 12)), picture)
                self.items.append((picture.clip(0, 1).astype(np.float32), label))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        picture, label = self.items[index]
        return torch.from_numpy(picture), label


def make_loaders(batch_size):
    train = DataLoader(Shelf(260, seed=1), batch_size=batch_size, shuffle=True)
    test = DataLoader(Shelf(60, seed=2), batch_size=batch_size)
    return train, test


def train(model, loader, optimizer, loss_fn):
    size = len(loader.dataset)
    model.train()
    seen_loss = 0.0
    for X, y in loader:
        pred = model(X)
        loss = loss_fn(pred, y)

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

        seen_loss += loss.item() * len(X)
    print(f"loss: {seen_loss / size:.6f}")


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for X, y in loader:
            correct += (model(X).argmax(1) == y).type(torch.float).sum().item()
    return correct / len(loader.dataset)


torch.manual_seed(31)
train_loader, test_loader = make_loaders(50)
model = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12 * 25, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for t in range(5):
    print(f"Epoch {t + 1}")
    train(model, train_loader, optimizer, nn.CrossEntropyLoss())
print(f"result: {test(model, test_loader):.4f}")
