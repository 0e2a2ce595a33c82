import copy
import math

import torch
from torch import nn


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.bad, self.best, self.state = patience, 0, math.inf, None

    def update(self, value, model):
        if value < self.best:
            self.best, self.bad, self.state = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.bad += 1
        return self.bad >= self.patience


def heat_demand(hours):
    """Hourly heat demand of a house: day and week rhythm, a wandering outside temperature, noise."""
    t = torch.arange(hours, dtype=torch.float32)
    cold, level = torch.zeros(hours), 0.0
    kicks = torch.randn(hours)
    for i in range(hours):
        level = 0.9 * level + 0.3 * kicks[i].item()
        cold[i] = level
    day = torch.sin(2 * math.pi * t / 24) + 0.5 * torch.cos(4 * math.pi * t / 24)
    week = 0.5 * ((t // 24) % 7 >= 5).float()
    return 10 + 2 * day * (1 + week) + 1.5 * cold + 0.8 * torch.randn(hours)


def windows(series, past, ahead):
    blocks = series.unfold(0, past + ahead, 1)
    return blocks[:, :past].unsqueeze(1), blocks[:, past:]


class Forecaster(nn.Module):
    def __init__(self, past, ahead):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 24, 5), nn.ReLU(), nn.Conv1d(24, 24, 5, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(24 * ((past - 4 - 5) // 2 + 1), 128), nn.ReLU(), nn.Linear(128, ahead))

    def forward(self, x):
        return self.net(x)


class Runner:
    def __init__(self, past=48, ahead=6, seed=27):
        torch.manual_seed(seed)
        series = heat_demand(2200)
        a, b = 1000, 1500
        mean, std = series[:a].mean(), series[:a].std()
        series = (series - mean) / std
        self.train = windows(series[:a], past, ahead)
        self.val = windows(series[a:b], past, ahead)
        self.test = windows(series[b:], past, ahead)
        self.model = Forecaster(past, ahead)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=5e-4)
        self.history = {"loss": [], "val_loss": []}

    def run_epoch(self, batch=64):
        self.model.train()
        x, y = self.train
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.mse_loss(self.model(x[rows]), y[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        return total / len(x)

    @torch.no_grad()
    def mse(self, part):
        self.model.eval()
        return nn.functional.mse_loss(self.model(part[0]), part[1]).item()

    def fit(self, max_epochs=40, patience=8):
        stopper = EarlyStopping(patience)
        for epoch in range(max_epochs):
            self.history["loss"].append(self.run_epoch())
            self.history["val_loss"].append(self.mse(self.val))
            if epoch % 3 == 0:
                print(f"epoch {epoch}: " + "  ".join(f"{k} {v[-1]:.4f}" for k, v in self.history.items()))
            if stopper.update(self.history["val_loss"][-1], self.model):
                print(f"stopped after epoch {epoch}")
                break
        self.model.load_state_dict(stopper.state)


runner = Runner()
runner.fit()
print(f"result: {math.sqrt(runner.mse(runner.test)):.4f}")
