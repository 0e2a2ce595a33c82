import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Callback:
    def on_epoch_end(self, learner, epoch, loss):
        pass


class PrintLoss(Callback):
    def on_epoch_end(self, learner, epoch, loss):
        print(f"epoch {epoch:02d} | mse {loss:.4f}")


class KeepHistory(Callback):
    def __init__(self):
        self.values = []

    def on_epoch_end(self, learner, epoch, loss):
        self.values.append(loss)


class Learner:
    """A very small copy of the learner idea from fastai."""

    def __init__(self, model, loss_fn, optimizer, callbacks):
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.callbacks = callbacks

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            loss = self.one_epoch(loader)
            for cb in self.callbacks:
                cb.on_epoch_end(self, epoch, loss)

    def one_epoch(self, loader):
        self.model.train()
        total, n = 0.0, 0
        for xb, yb in loader:
            loss = self.loss_fn(self.model(xb), yb)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(xb)
            n += len(xb)
        return total / n

    @torch.no_grad()
    def predict(self, x):
        self.model.eval()
        return self.model(x)


def bike_rentals(n, rng):
    hour = rng.integers(0, 24, n)
    temp = rng.normal(15, 8, n)
    rain = rng.exponential(1.0, n)
    wind = rng.gamma(2.0, 6.0, n)
    weekend = rng.random(n) < 2 / 7
    rush = np.exp(-((hour - 8) ** 2) / 6) + np.exp(-((hour - 17) ** 2) / 8)
    count = 120 * rush * np.where(weekend, 0.4, 1.0) + 4 * temp - 18 * rain - 0.8 * wind
    count = count + rng.normal(0, 12, n)
    x = np.stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), np.sin(hour * np.pi / 6),
                  np.cos(hour * np.pi / 6), temp, rain, wind, weekend], axis=1)
    return x, count[:, None]


torch.manual_seed(14)
rng = np.random.default_rng(14)
x, y = bike_rentals(3000, rng)
x_new, y_new = bike_rentals(800, rng)
x_mean, x_std, y_mean, y_std = x.mean(0), x.std(0), y.mean(0), y.std(0)
prep_x = lambda a: torch.tensor((a - x_mean) / x_std, dtype=torch.float32)
prep_y = lambda a: torch.tensor((a - y_mean) / y_std, dtype=torch.float32)

net = nn.Sequential(
    nn.Linear(8, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Dropout(0.1),
    nn.Linear(96, 48), nn.BatchNorm1d(48), nn.ReLU(),
    nn.Linear(48, 1),
)
history = KeepHistory()
learner = Learner(net, nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=4e-3), [PrintLoss(), history])
learner.fit(DataLoader(TensorDataset(prep_x(x), prep_y(y)), batch_size=60, shuffle=True), epochs=8)

target = prep_y(y_new)
residual = target - learner.predict(prep_x(x_new))
r2 = 1 - residual.pow(2).sum() / (target - target.mean()).pow(2).sum()
print(f"result: {r2.item():.4f}")
