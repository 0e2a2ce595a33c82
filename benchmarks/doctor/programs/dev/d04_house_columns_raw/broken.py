import argparse

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def load_houses(n, seed):
    rng = np.random.default_rng(seed)
    area = rng.uniform(30, 260, n)
    rooms = np.clip(np.round(area / 30 + rng.normal(0, 1, n)), 1, 9)
    year = rng.integers(1900, 2021, n)
    income = rng.lognormal(10.4, 0.4, n)
    distance = rng.exponential(6, n)
    price = 2.2 * area / 60 + 1.6 * np.log(income / 33000) * 2 + (year - 1960) / 40 - distance / 5 + rng.normal(0, 0.3, n)
    label = np.digitize(price, np.quantile(price, [0.33, 0.67]))
    return np.stack([area, rooms, year, income, distance], axis=1).astype(np.float32), label


def build():
    return torch.nn.Sequential(
        torch.nn.Linear(5, 24), torch.nn.ReLU(), torch.nn.Linear(24, 24), torch.nn.ReLU(), torch.nn.Linear(24, 3)
    )


def run_epoch(model, loader, optimizer):
    model.train()
    total, seen = 0.0, 0
    for features, target in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(features), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(target)
        seen += len(target)
    return total / seen


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum((model(features).argmax(1) == target).sum().item() for features, target in loader)
    return right / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=0.05)
    args = parser.parse_args()

    torch.manual_seed(1)
    features, labels = load_houses(2000, seed=7)
    train_x, test_x = features[:1600], features[1600:]
    train = TensorDataset(torch.from_numpy(train_x), torch.from_numpy(labels[:1600]))
    test = TensorDataset(torch.from_numpy(test_x), torch.from_numpy(labels[1600:]))
    train_loader = DataLoader(train, batch_size=32, shuffle=True)
    test_loader = DataLoader(test, batch_size=200)

    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(args.epochs):
        print(f"epoch {epoch}: train loss {run_epoch(model, train_loader, optimizer):.6f}")
    print(f"result: {accuracy(model, test_loader):.4f}")


main()
