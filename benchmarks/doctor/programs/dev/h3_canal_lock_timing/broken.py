"""Water level in a canal lock one step ahead, from the last two days of readings."""
import math

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

WINDOW = 24


def level_series(n, rng):
    t = np.arange(n)
    gates = np.where((t // 7) % 3 == 0, 0.9, -0.4)
    slow = np.sin(2 * math.pi * t / 61) + 0.6 * np.sin(2 * math.pi * t / 17.3 + 1)
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = 0.6 * noise[i - 1] + 0.12 * rng.normal()
    return (4.2 + slow + gates + noise).astype(np.float32)


class Readings(Dataset):
    def __init__(self, levels):
        self.levels = torch.from_numpy(levels)

    def __len__(self):
        return len(self.levels) - WINDOW

    def __getitem__(self, i):
        return self.levels[i : i + WINDOW].unsqueeze(-1), self.levels[i + WINDOW]


class LockModel(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.recurrent = nn.GRU(1, width, batch_first=True)
        self.read = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, window):
        states, _ = self.recurrent(window)
        return self.read(states[:, -1]).squeeze(-1)


class Forecaster:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        self.schedule = LambdaLR(self.optimizer, lambda epoch: lr * 0.9 ** epoch)
        self.criterion = nn.MSELoss()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = []
            for window, target in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(window), target)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            self.schedule.step()
            print(f"epoch {epoch} mse {np.mean(losses):.6f}")
        return self

    def r2(self, loader):
        self.model.eval()
        guesses, truths = [], []
        with torch.no_grad():
            for window, target in loader:
                guesses.append(self.model(window))
                truths.append(target)
        guesses, truths = torch.cat(guesses), torch.cat(truths)
        return 1 - ((guesses - truths) ** 2).sum().item() / ((truths - truths.mean()) ** 2).sum().item()


def main():
    torch.manual_seed(50)
    levels = level_series(2600, np.random.default_rng(50))
    past, future = levels[:2000], levels[2000:]
    mean, std = past.mean(), past.std()
    train = DataLoader(Readings((past - mean) / std), batch_size=48, shuffle=True)
    test = DataLoader(Readings((future - mean) / std), batch_size=100)
    forecaster = Forecaster(LockModel(), lr=4e-4)
    forecaster.fit(train, epochs=10)
    print(f"result: {forecaster.r2(test):.4f}")


if __name__ == "__main__":
    main()
