import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GASES = ["ethanol", "ammonia", "acetone", "methane"]


class NoseLog(Dataset):
    """Pulse counts of 20 sensors, 0 to some ten thousands per second."""

    def __init__(self, n, profile, gen):
        self.gas = torch.randint(len(GASES), (n,), generator=gen)
        strength = 0.5 * torch.randn(n, 1, generator=gen)
        log_rate = profile[self.gas] + strength + 0.8 * torch.randn(n, profile.shape[1], generator=gen)
        self.counts = torch.poisson(log_rate.exp(), generator=gen)

    def __len__(self):
        return len(self.gas)

    def __getitem__(self, i):
        pulses = self.counts[i]
        pulses = pulses.log1p()
        return (pulses - 5.0) / 1.5, self.gas[i]


class Nose(nn.Module):
    def __init__(self, sensors, hidden=48):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(sensors, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU())
        self.head = nn.Linear(hidden, len(GASES))

    def forward(self, x):
        return self.head(self.body(x))

    def fit(self, log, epochs=12):
        sgd = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        crit = nn.CrossEntropyLoss()
        loader = DataLoader(log, batch_size=60, shuffle=True)
        self.train()
        for epoch in range(epochs):
            total, good = 0.0, 0
            for x, gas in loader:
                out = self(x)
                loss = crit(out, gas)
                sgd.zero_grad()
                loss.backward()
                sgd.step()
                total += loss.item() * len(gas)
                good += (out.argmax(1) == gas).sum().item()
            print(f"epoch {epoch:2d} | loss {total / len(log):.3f} | train acc {good / len(log):.3f}")
        return self

    @torch.inference_mode()
    def accuracy(self, log):
        self.eval()
        good = sum((self(x).argmax(1) == gas).sum().item() for x, gas in DataLoader(log, batch_size=100))
        return good / len(log)


torch.manual_seed(22)
gen = torch.Generator().manual_seed(22)
profile = 5.0 + 0.55 * torch.randn(len(GASES), 20, generator=gen)
nose = Nose(20).fit(NoseLog(1800, profile, gen))
print(f"accuracy on a new day's log: {nose.accuracy(NoseLog(600, profile, gen)):.3f}")
