"""Predict the damping of an oscillating beam from 64 accelerometer samples."""
import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class BeamRecords(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        t = torch.linspace(0, 1, 64)
        self.damping = torch.rand(n, 1, generator=g) * 5 + 0.5
        freq = torch.rand(n, 1, generator=g) * 4 + 6
        phase = torch.rand(n, 1, generator=g) * 2 * math.pi
        wave = torch.exp(-self.damping * t) * torch.sin(2 * math.pi * freq * t + phase)
        self.wave = wave + 0.03 * torch.randn(n, 64, generator=g)

    def __len__(self):
        return len(self.wave)

    def __getitem__(self, i):
        return self.wave[i].unsqueeze(0), (self.damping[i] - 3.0) / 1.45


class ConvRegressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(32 * 16, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.head(self.features(x))


class Trainer:
    def __init__(self, model, train_set, test_set, lr=2e-3):
        self.model = model
        self.train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=100)
        self.optim = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.SmoothL1Loss()

    def update(self, loss):
        loss.backward()
        self.optim.zero_grad()
        self.optim.step()
        return loss.item()

    def run(self, epochs):
        for epoch in range(1, epochs + 1):
            self.model.train()
            history = [self.update(self.criterion(self.model(x), y)) for x, y in self.train_loader]
            print(f"epoch {epoch:2d} | loss {sum(history) / len(history):.5f}")

    def r2(self):
        self.model.eval()
        preds, targets = [], []
        with torch.no_grad():
            for x, y in self.test_loader:
                preds.append(self.model(x))
                targets.append(y)
        preds, targets = torch.cat(preds), torch.cat(targets)
        residual = ((preds - targets) ** 2).sum()
        return 1 - (residual / ((targets - targets.mean()) ** 2).sum()).item()


if __name__ == "__main__":
    torch.manual_seed(3)
    trainer = Trainer(ConvRegressor(), BeamRecords(1600, seed=1), BeamRecords(400, seed=2))
    trainer.run(6)
    print(f"result: {trainer.r2():.4f}")
