import copy
import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class History(Dataset):
    """Windows of 16 hours of a pump's power and the weather; the target is the next hour's power."""

    def __init__(self, hours: int, seed: int, window: int = 16):
        g = torch.Generator().manual_seed(seed)
        t = torch.arange(hours, dtype=torch.float32)
        weather = torch.sin(2 * math.pi * t / 24) + 0.3 * torch.randn(hours, generator=g)
        power = torch.zeros(hours)
        for h in range(2, hours):
            power[h] = 0.5 * power[h - 1] - 0.6 * weather[h - 1] + 0.3 * weather[h - 2]
        self.series = torch.stack([power, weather], dim=1)
        self.window = window

    def __len__(self):
        return len(self.series) - self.window

    def __getitem__(self, i):
        return self.series[i:i + self.window], self.series[i + self.window, :1]


class PumpNet(nn.Module):
    def __init__(self, inputs=2, hidden=40):
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.05)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(self.dropout(out[:, -1]))


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.waited, self.weights = patience, float("inf"), 0, None

    def __call__(self, value, model):
        if value < self.best:
            self.best, self.waited, self.weights = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience


def mean_error(model, loader):
    model.eval()
    summed, count = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            summed += (model(x) - y).pow(2).sum().item()
            count += len(y)
    return summed / count


def main():
    torch.manual_seed(25)
    train, valid, test = History(1500, seed=1), History(300, seed=2), History(400, seed=3)
    loader = DataLoader(train, batch_size=64, shuffle=True)
    model, loss_fn = PumpNet(), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    stopping = EarlyStopping(patience=3)
    for epoch in range(6):
        model.train()
        losses = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(y)
        value = mean_error(model, DataLoader(valid, batch_size=128))
        print(f"epoch {epoch}: train {losses / len(train):.6f} valid {value:.6f}")
        if stopping(value, model):
            break
    model.load_state_dict(stopping.weights)
    truth = test.series[test.window:, 0]
    print(f"result: {1 - mean_error(model, DataLoader(test, batch_size=128)) / truth.var().item():.4f}")


if __name__ == "__main__":
    main()
