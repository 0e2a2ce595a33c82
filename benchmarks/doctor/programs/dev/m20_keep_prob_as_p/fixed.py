"""Predict which tariff a phone customer takes. Hyper-parameters follow the TF1 code we port."""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class HParams:
    hidden: int = 64
    keep_prob: float = 0.9
    lr: float = 2e-3
    epochs: int = 10
    batch_size: int = 64
    seed: int = 5


def make_customers(n, rng):
    age = rng.uniform(18, 80, n)
    minutes = rng.gamma(3.0, 60.0, n)
    gigabytes = rng.gamma(2.0, 4.0, n)
    abroad = rng.integers(0, 2, n)
    months = rng.integers(1, 120, n)
    score = np.stack([
        0.06 * (60 - age) + 0.15 * gigabytes,
        0.015 * minutes + 0.02 * age - 1.2,
        2.5 * abroad + 0.08 * gigabytes - 0.2,
        0.03 * months + 0.02 * (age - 40),
    ], axis=1)
    tariff = (score + rng.gumbel(scale=0.25, size=score.shape)).argmax(1)
    return np.stack([age, minutes, gigabytes, abroad, months], axis=1), tariff


class TariffNet(nn.Module):
    def __init__(self, n_in, n_out, hp):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_in, hp.hidden), nn.ReLU(), nn.Dropout(1 - hp.keep_prob),
            nn.Linear(hp.hidden, hp.hidden), nn.ReLU(), nn.Dropout(1 - hp.keep_prob),
        )
        self.head = nn.Linear(hp.hidden, n_out)

    def forward(self, x):
        return self.head(self.body(x))


def evaluate(net, loader):
    net.eval()
    right = seen = 0
    with torch.no_grad():
        for x, y in loader:
            right += (net(x).argmax(dim=1) == y).sum().item()
            seen += len(y)
    return right / seen


def main(hp):
    torch.manual_seed(hp.seed)
    rng = np.random.default_rng(hp.seed)
    x_train, y_train = make_customers(2000, rng)
    x_test, y_test = make_customers(600, rng)
    mean, std = x_train.mean(0), x_train.std(0)

    def as_dataset(x, y):
        return TensorDataset(torch.tensor((x - mean) / std, dtype=torch.float32), torch.tensor(y))

    train_loader = DataLoader(as_dataset(x_train, y_train), batch_size=hp.batch_size, shuffle=True)
    test_loader = DataLoader(as_dataset(x_test, y_test), batch_size=200)
    net = TariffNet(x_train.shape[1], 4, hp)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=hp.lr)
    for epoch in range(hp.epochs):
        net.train()
        loss_sum = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(y)
        print(f"epoch {epoch:2d}  loss {loss_sum / len(x_train):.4f}")
    print(f"test accuracy {evaluate(net, test_loader):.4f}")


if __name__ == "__main__":
    main(HParams())
