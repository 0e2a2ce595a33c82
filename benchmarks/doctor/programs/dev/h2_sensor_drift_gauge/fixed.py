import copy

import torch
from torch import nn, optim


def drift_series(length, generator):
    t = torch.arange(length, dtype=torch.float32)
    slow = torch.sin(t / 17) + 0.5 * torch.sin(t / 5.3 + 1)
    noise = 0.05 * torch.randn(length, generator=generator)
    return slow * (1 + 0.2 * torch.sin(t / 71)) + noise


def windows(series, past=24):
    x = series.unfold(0, past + 1, 1)
    return x[:, :past].contiguous(), x[:, past:].contiguous()


class Forecaster(nn.Module):
    def __init__(self, past=24):
        super().__init__()
        self.mix = nn.Sequential(
            nn.Unflatten(1, (1, past)),
            nn.Conv1d(1, 16, 5), nn.SiLU(),
            nn.Conv1d(16, 16, 5), nn.SiLU(),
            nn.Flatten(),
        )
        self.read = nn.Linear(16 * (past - 8), 1)

    def forward(self, x):
        return self.read(self.mix(x))


class Experiment:
    def __init__(self, network, optimizer, loss_fn):
        self.network = network
        self.optimizer = optimizer
        self.loss_fn = loss_fn
        self.best = None

    def one_epoch(self, x, y, size):
        self.network.train()
        losses = []
        for part in torch.randperm(len(x)).split(size):
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.network(x[part]), y[part])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def error(self, x, y):
        self.network.eval()
        with torch.no_grad():
            return self.loss_fn(self.network(x), y).item()

    def run(self, train, valid, epochs=6, size=40):
        for epoch in range(epochs):
            fitted = self.one_epoch(*train, size)
            held = self.error(*valid)
            if self.best is None or held < self.best[0]:
                self.best = (held, copy.deepcopy(self.network.state_dict()))
            print(f"{epoch}: loss {fitted:.6f} valid {held:.6f}")
        self.network.load_state_dict(self.best[1])
        return self.network


if __name__ == "__main__":
    torch.manual_seed(4)
    signal = drift_series(2600, torch.Generator().manual_seed(9))
    x, y = windows(signal)
    train, valid, test = (x[:1700], y[:1700]), (x[1730:2100], y[1730:2100]), (x[2130:], y[2130:])
    gauge = Forecaster()
    adam = optim.Adam(gauge.parameters(), lr=3e-3)
    trained = Experiment(gauge, adam, nn.MSELoss()).run(train, valid)
    trained.eval()
    with torch.no_grad():
        left = (trained(test[0]) - test[1]).pow(2).mean()
    print(f"result: {(1 - left / test[1].var()).item():.4f}")
