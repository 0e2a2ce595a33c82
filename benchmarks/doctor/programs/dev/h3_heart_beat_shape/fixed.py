import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


def synth(kind, rng, length=160):
    """One heart beat of one of four kinds, in millivolts times ten."""
    t = np.linspace(0, 1, length)
    centre = 0.45 + rng.uniform(-0.08, 0.08)
    wave = 12 * np.exp(-(((t - centre) / 0.02) ** 2))
    wave -= 3 * np.exp(-(((t - centre - 0.05) / 0.02) ** 2))
    if kind != 1:
        wave += 2.5 * np.exp(-(((t - centre + 0.18) / 0.03) ** 2))
    if kind == 2:
        wave -= 4 * np.exp(-(((t - centre - 0.25) / 0.05) ** 2))
    else:
        wave += 4 * np.exp(-(((t - centre - 0.25) / 0.05) ** 2))
    if kind == 3:
        wave += 7 * np.exp(-(((t - centre - 0.06) / 0.03) ** 2))
    return wave * rng.uniform(0.8, 1.2) + rng.normal(0, 0.9, length) + rng.uniform(1.0, 3.0)


class Beats(Dataset):
    def __init__(self, signals, kinds, mean, std):
        self.signals = signals
        self.kinds = kinds
        self.mean = mean
        self.std = std

    def __len__(self):
        return len(self.signals)

    def __getitem__(self, index):
        signal = self.signals[index].copy()
        signal -= self.mean
        signal /= self.std
        return torch.from_numpy(signal)[None], int(self.kinds[index])


class BeatNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 9, padding=4),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 7, padding=3),
            nn.ReLU(),
            nn.MaxPool1d(4),
        )
        self.classify = nn.Sequential(nn.Flatten(), nn.Linear(32 * 20, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        return self.classify(self.features(x))


class Experiment:
    def __init__(self, train_set, test_set, lr=1e-3):
        self.train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=200)
        self.net = BeatNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.loss_fn = nn.CrossEntropyLoss()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            losses = []
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.loss_fn(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            print(f"epoch {epoch}: {np.mean(losses):.6f} test accuracy {self.score():.4f}")

    def score(self):
        self.net.eval()
        correct = 0
        with torch.no_grad():
            for x, y in self.test_loader:
                correct += int((self.net(x).argmax(1) == y).sum())
        return correct / len(self.test_loader.dataset)


def main():
    torch.manual_seed(8)
    rng = np.random.default_rng(8)
    kinds = rng.integers(0, 4, 2000)
    signals = np.stack([synth(kind, rng) for kind in kinds]).astype(np.float32)
    mean, std = float(signals[:1600].mean()), float(signals[:1600].std())
    train_set = Beats(signals[:1600], kinds[:1600], mean, std)
    test_set = Beats(signals[1600:], kinds[1600:], mean, std)
    experiment = Experiment(train_set, test_set)
    experiment.fit(9)
    print(f"result: {experiment.score():.4f}")


main()
