"""Which of six minerals are in a stone? Several may be, or none."""

import torch
from torch import nn


class Callback:
    def on_epoch_end(self, trainer, epoch, loss):
        pass


class Printer(Callback):
    def on_epoch_end(self, trainer, epoch, loss):
        print(f"[{epoch:02d}] train loss {loss:.6f} lr {trainer.optimizer.param_groups[0]['lr']:.4f}")


class Decay(Callback):
    def __init__(self, factor, every):
        self.factor, self.every = factor, every

    def on_epoch_end(self, trainer, epoch, loss):
        if (epoch + 1) % self.every == 0:
            for group in trainer.optimizer.param_groups:
                group["lr"] *= self.factor


class Batches:
    def __init__(self, x, y, size, shuffle):
        self.x, self.y, self.size, self.shuffle = x, y, size, shuffle

    def __len__(self):
        return (len(self.x) + self.size - 1) // self.size

    def __iter__(self):
        order = torch.randperm(len(self.x)) if self.shuffle else torch.arange(len(self.x))
        for k in range(len(self)):
            rows = order[k * self.size : (k + 1) * self.size]
            yield self.x[rows], self.y[rows]


class Trainer:
    def __init__(self, model, optimizer, callbacks=()):
        self.model = model
        self.optimizer = optimizer
        self.loss_fn = nn.BCEWithLogitsLoss()
        self.callbacks = list(callbacks)

    def step(self, x, y):
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, batches, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.step(x, y) for x, y in batches]
            for callback in self.callbacks:
                callback.on_epoch_end(self, epoch, sum(losses) / len(losses))

    def score(self, batches):
        self.model.eval()
        same, all_labels = 0, 0
        with torch.no_grad():
            for x, y in batches:
                same += ((self.model(x) > 0) == (y > 0.5)).sum().item()
                all_labels += y.numel()
        return same / all_labels


def stones(count):
    spectra = torch.randn(count, 48)
    bands = torch.tanh(spectra @ (torch.randn(48, 12) / 48**0.5) * 2)
    content = bands @ torch.randn(12, 6) + 0.3 * torch.randn(count, 6)
    return spectra, (content > 0.2).float()


torch.manual_seed(60)
x, y = stones(3000)
net = nn.Sequential(nn.Linear(48, 384), nn.ReLU(), nn.Dropout(0.3), nn.Linear(384, 384), nn.ReLU(), nn.Linear(384, 6))
trainer = Trainer(net, torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9), [Printer(), Decay(0.5, 5)])
trainer.fit(Batches(x[:2400], y[:2400], 96, shuffle=True), epochs=15)
print(f"result: {trainer.score(Batches(x[2400:], y[2400:], 300, shuffle=False)):.4f}")
