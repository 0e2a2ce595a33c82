import copy
import logging
import sys

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
log = logging.getLogger("phases")


class Diffraction:
    """Peaks of an unknown crystal, binned, with one of six phases behind them."""

    def __init__(self, count, gen, peaks):
        self.phase = torch.randint(0, len(peaks), (count,), generator=gen)
        bins = torch.arange(64.0)
        place = peaks[self.phase] + 1.2 * torch.randn(count, peaks.shape[1], generator=gen)
        strength = 0.3 + torch.rand(count, peaks.shape[1], 1, generator=gen)
        self.signal = (strength * torch.exp(-((bins - place.unsqueeze(-1)) / 1.5) ** 2)).sum(1)
        self.signal = self.signal + 0.25 * torch.randn(count, 64, generator=gen)

    def __len__(self):
        return len(self.phase)

    def batches(self, size, shuffle):
        order = torch.randperm(len(self)) if shuffle else torch.arange(len(self))
        for rows in order.split(size):
            yield self.signal[rows], self.phase[rows]


class Fitter:
    def __init__(self, net, epochs, batch_size, max_lr):
        self.net, self.epochs, self.batch_size, self.max_lr = net, epochs, batch_size, max_lr
        self.best_loss, self.best_weights = float("inf"), None

    def fit(self, train, valid):
        steps = -(-len(train) // self.batch_size) * self.epochs
        optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        schedule = OneCycleLR(optimizer, max_lr=self.max_lr, total_steps=steps)
        for epoch in range(self.epochs):
            self.net.train()
            total = 0.0
            for signal, phase in train.batches(self.batch_size, shuffle=True):
                loss = nn.functional.cross_entropy(self.net(signal), phase)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(phase)
            schedule.step()
            held = self.loss_on(valid)
            log.info("epoch %d loss %.6f held %.6f", epoch, total / len(train), held)
            if held < self.best_loss:
                self.best_loss = held
                self.best_weights = self.net.state_dict()
        self.net.load_state_dict(self.best_weights)

    def loss_on(self, data):
        self.net.eval()
        with torch.no_grad():
            parts = [nn.functional.cross_entropy(self.net(s), p, reduction="sum") for s, p in data.batches(200, False)]
        return sum(parts).item() / len(data)

    def accuracy_on(self, data):
        self.net.eval()
        with torch.no_grad():
            hits = sum((self.net(s).argmax(1) == p).sum().item() for s, p in data.batches(200, False))
        return hits / len(data)


gen = torch.Generator().manual_seed(15)
peaks = torch.rand(6, 4, generator=gen) * 56 + 4
train, valid, test = (Diffraction(k, gen, peaks) for k in (1500, 400, 600))
torch.manual_seed(15)
net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, 192), nn.ReLU(), nn.Linear(192, 6))
fitter = Fitter(net, epochs=12, batch_size=50, max_lr=5e-3)
fitter.fit(train, valid)
print(f"result: {fitter.accuracy_on(test):.4f}")
