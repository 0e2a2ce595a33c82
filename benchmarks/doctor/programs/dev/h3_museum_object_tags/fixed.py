"""Tags (wood, gilt, textile, ...) of museum objects from the numbers in the inventory: several may hold at once."""
import math

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED, OBJECTS, NUMBERS, TAGS = 31, 2400, 40, 12


def inventory():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(OBJECTS, NUMBERS)).astype(np.float32)
    first = rng.normal(size=(NUMBERS, 16)) / math.sqrt(NUMBERS)
    second = rng.normal(size=(16, TAGS)) / 4
    evidence = np.tanh(2 * x @ first) @ second
    tags = (evidence > np.quantile(evidence, 0.8, axis=0)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(tags)


class Tagger(nn.Module):
    def __init__(self, widths, rarity=0.01):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(i, o) for i, o in zip(widths, widths[1:])])
        self.act = nn.ReLU()
        # tags are rare at first: start with a low probability for each
        for layer in self.layers[-1:]:
            nn.init.constant_(layer.bias, -math.log((1 - rarity) / rarity))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.act(layer(x))
        return self.layers[-1](x)


class F1Meter:
    def __init__(self):
        self.tp = self.fp = self.fn = 0

    def update(self, guess, truth):
        self.tp += ((guess == 1) & (truth == 1)).sum().item()
        self.fp += ((guess == 1) & (truth == 0)).sum().item()
        self.fn += ((guess == 0) & (truth == 1)).sum().item()

    def value(self):
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


class Fitter:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def one_epoch(self, loader):
        self.model.train()
        history = []
        for numbers, tags in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(numbers), tags)
            loss.backward()
            self.optimizer.step()
            history.append(loss.item())
        return sum(history) / len(history)

    @torch.no_grad()
    def f1(self, loader):
        self.model.eval()
        meter = F1Meter()
        for numbers, tags in loader:
            meter.update((self.model(numbers) > 0).float(), tags)
        return meter.value()


def main():
    torch.manual_seed(SEED)
    x, tags = inventory()
    train = DataLoader(TensorDataset(x[:1900], tags[:1900]), batch_size=76, shuffle=True)
    test = DataLoader(TensorDataset(x[1900:], tags[1900:]), batch_size=100)
    fitter = Fitter(Tagger([NUMBERS, 640, 480, TAGS]), lr=1e-3)
    for epoch in range(14):
        loss = fitter.one_epoch(train)
        print(f"{epoch:>3} loss {loss:.6f} f1 {fitter.f1(test):.3f}")
    print(f"result: {fitter.f1(test):.4f}")


main()
