import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def wines(n, rng):
    """Chemical readings and a mark between 0.1 and 0.7, in steps of a tenth."""
    step = rng.integers(1, 8, n)
    marks = np.round(step * 0.1, 1)
    angle = step * 0.8
    readings = np.stack([np.cos(angle), np.sin(angle), step / 4 - 1, rng.normal(0, 1, n)], axis=1)
    return (readings + rng.normal(0, 0.12, (n, 4))).astype(np.float32), marks


def to_classes(marks):
    return torch.tensor(marks / 0.1 - 1).round().long()


def loaders(rng):
    x, marks = wines(1500, rng)
    x_test, marks_test = wines(400, rng)
    train = TensorDataset(torch.from_numpy(x), to_classes(marks))
    test = TensorDataset(torch.from_numpy(x_test), to_classes(marks_test))
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(test, batch_size=200)


def fit(model, loader, epochs):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)
    for epoch in range(epochs):
        running, seen = 0.0, 0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(y)
            seen += len(y)
        print(f"epoch {epoch + 1}/{epochs} loss {running / seen:.6f}")


def score(model, loader):
    model.eval()
    good = total = 0
    with torch.no_grad():
        for x, y in loader:
            good += (model(x).max(1).indices == y).sum().item()
            total += y.size(0)
    return good / total


torch.manual_seed(4)
train_loader, test_loader = loaders(np.random.default_rng(4))
model = nn.Sequential(nn.Linear(4, 48), nn.LeakyReLU(), nn.Linear(48, 7))
fit(model, train_loader, epochs=8)
print(f"result: {score(model, test_loader):.4f}")
