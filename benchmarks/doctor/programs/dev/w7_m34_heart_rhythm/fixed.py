"""Heart rhythm from a single-lead trace: cut it into patches, read the patches with a GRU."""
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Traces(Dataset):
    """0 steady, 1 fast, 2 irregular"""

    def __init__(self, n, seed, length=256):
        gen = torch.Generator().manual_seed(seed)
        t = torch.arange(length).float()
        self.y = torch.randint(0, 3, (n,), generator=gen)
        self.x = torch.zeros(n, 1, length)
        for i, kind in enumerate(self.y.tolist()):
            period = 44 + 10 * torch.rand(1, generator=gen).item() if kind != 1 else 26 + 8 * torch.rand(1, generator=gen).item()
            at = -period * torch.rand(1, generator=gen).item()
            while at < length + 5:
                self.x[i, 0] += torch.exp(-((t - at) / 3) ** 2) - 0.4 * torch.exp(-((t - at - 8) / 5) ** 2)
                jitter = (torch.rand(1, generator=gen).item() - 0.5) * (1.1 if kind == 2 else 0.08)
                at += period * (1 + jitter)
        self.x += 0.1 * torch.randn(self.x.shape, generator=gen)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class PatchReader(nn.Module):
    def __init__(self, mean, std, dim=32):
        super().__init__()
        self.mean, self.std = mean, std
        self.patches = nn.Conv1d(1, dim, 16, 12)
        self.reader = nn.GRU(dim, 40, batch_first=True)
        self.out = nn.Sequential(nn.LayerNorm(40), nn.Linear(40, 3))

    def forward(self, x):
        p = torch.tanh(self.patches((x - self.mean) / self.std)).transpose(1, 2)
        states, _ = self.reader(p)
        return self.out(states.mean(1))


class Trainer:
    def __init__(self, model, train, test, epochs=14):
        self.model, self.epochs = model, epochs
        self.train_loader = DataLoader(train, batch_size=64, shuffle=True)
        self.test_loader = DataLoader(test, batch_size=100)
        self.opt = torch.optim.Adam(model.parameters(), lr=4e-3)
        self.sched = torch.optim.lr_scheduler.LambdaLR(
            self.opt, lambda e: 0.5 * (1 + math.cos(math.pi * e / epochs)))

    def run(self):
        for epoch in range(self.epochs):
            self.model.train()
            total = 0.0
            for x, y in self.train_loader:
                self.opt.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.opt.step()
                total += loss.item() * len(y)
            self.sched.step()
            print(f"epoch {epoch + 1}: loss {total / len(self.train_loader.dataset):.4f}")

    def accuracy(self):
        self.model.eval()
        with torch.no_grad():
            right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.test_loader)
        return right / len(self.test_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(31)
    train, test = Traces(900, seed=100), Traces(500, seed=200)
    trainer = Trainer(PatchReader(train.x.mean().item(), train.x.std().item()), train, test)
    trainer.run()
    print(f"result: {trainer.accuracy():.4f}")
