import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

MOVES = ["walk", "run", "stairs", "cycle"]


def record(n, seed):
    """Windows of a three-axis accelerometer, 96 samples each."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(MOVES), n)
    t = np.arange(96)[None, None, :] / 32.0
    pace = np.array([1.6, 2.6, 1.4, 2.0])[label][:, None, None] + 0.08 * rng.standard_normal((n, 1, 1))
    tilt = np.array([[1, .4, .2], [1, .8, .3], [.7, .3, .9], [.4, .9, .9]])[label][:, :, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 3, 1))
    x = tilt * np.sin(2 * np.pi * pace * t + phase) + 0.6 * rng.standard_normal((n, 3, 96))
    return x.astype(np.float32), label.astype(np.int64)


class AugmentedWindows(Dataset):
    def __init__(self, x, y, seed):
        self.x, self.y = x, y
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        window = np.roll(self.x[i], self.rng.integers(0, 96), axis=1)
        gain = self.rng.uniform(0.8, 1.25, size=(3, 1)).astype(np.float32)
        noise = self.rng.normal(0, 0.1, size=window.shape).astype(np.float32)
        return torch.from_numpy(window * gain + noise), int(self.y[i])


class MoveNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv1d(3, 24, 7, padding=3), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU(),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, len(MOVES)),
        )


class Trainer:
    def __init__(self, model, train_set, test_set):
        self.model = model
        self.train_loader = DataLoader(train_set, batch_size=32, shuffle=True, num_workers=2)
        self.test_loader = DataLoader(test_set, batch_size=200)
        self.opt = torch.optim.Adam(model.parameters(), lr=2e-3)
        self.loss = nn.CrossEntropyLoss()

    def fit(self, epochs):
        for epoch in range(1, epochs + 1):
            self.model.train()
            total = 0.0
            for x, y in self.train_loader:
                self.opt.zero_grad()
                loss = self.loss(self.model(x), y)
                loss.backward()
                self.opt.step()
                total += loss.item() * len(y)
            print(f"epoch {epoch} loss {total / len(self.train_loader.dataset):.4f}")

    @torch.no_grad()
    def score(self):
        self.model.eval()
        right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.test_loader)
        return right / len(self.test_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(11)
    x_train, y_train = record(800, seed=21)
    x_test, y_test = record(1000, seed=22)
    mean, std = x_train.mean((0, 2), keepdims=True), x_train.std((0, 2), keepdims=True)
    train_set = AugmentedWindows((x_train - mean) / std, y_train, seed=4)
    test_set = TensorDataset(torch.from_numpy((x_test - mean) / std), torch.from_numpy(y_test))
    trainer = Trainer(MoveNet(), train_set, test_set)
    trainer.fit(8)
    print(f"result: {trainer.score():.4f}")
