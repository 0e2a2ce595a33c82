"""Estimate the remaining life of a bearing from a short window of vibration readings."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Bearings(Dataset):
    def __init__(self, n, seed, stats=None, window=20):
        rng = np.random.default_rng(seed)
        wear = rng.uniform(0, 1, n)
        speed = rng.uniform(0.8, 1.2, n)
        t = np.arange(window) / window
        level = (wear**2)[:, None] * (1 + 0.8 * t) + 0.1 * rng.normal(size=(n, window))
        tone = np.sin(2 * np.pi * 3 * speed[:, None] * t + rng.uniform(0, 6, n)[:, None]) * (0.3 + wear[:, None])
        heat = 0.5 * speed[:, None] + 0.6 * wear[:, None] * t + 0.05 * rng.normal(size=(n, window))
        self.x = np.stack([level, tone, heat], axis=2).astype(np.float32)
        self.y = (1 - wear).astype(np.float32)
        self.stats = stats or (self.x.mean((0, 1)), self.x.std((0, 1)))
        self.x = (self.x - self.stats[0]) / self.stats[1]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class LifeNet(nn.Module):
    def __init__(self, n_features=3, window=20, hidden=16):
        super().__init__()
        self.rnn = nn.GRU(n_features, hidden)
        self.regress = nn.Sequential(nn.Linear(window * hidden, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        x = x.transpose(0, 1)  # the GRU wants (time, batch, feature)
        states, _ = self.rnn(x)
        flat = states.transpose(0, 1).reshape(x.size(1), -1)
        return self.regress(flat).squeeze(-1)


def r_squared(model, dataset):
    model.eval()
    errors, targets = [], []
    with torch.no_grad():
        for x, y in DataLoader(dataset, batch_size=100):
            errors.append(model(x) - y)
            targets.append(y)
    errors, targets = torch.cat(errors), torch.cat(targets)
    return 1 - (errors.square().mean() / targets.var(unbiased=False)).item()


def main(seed=19, epochs=6):
    torch.manual_seed(seed)
    train_set = Bearings(1500, seed)
    test_set = Bearings(400, seed + 1, stats=train_set.stats)
    model = LifeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    huber = nn.SmoothL1Loss(beta=0.1)
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for x, y in DataLoader(train_set, batch_size=50, shuffle=True):
            loss = huber(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() * len(y)
        print(f"epoch {epoch}  huber {running / len(train_set):.5f}")
    print(f"R2 on unseen bearings: {r_squared(model, test_set):.4f}")


if __name__ == "__main__":
    main()
