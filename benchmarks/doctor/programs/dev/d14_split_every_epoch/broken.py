import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Curves(Dataset):
    def __init__(self, n):
        self.kind = torch.randint(0, 3, (n,))
        t = torch.linspace(-1, 1, 24)
        a = 0.5 + torch.rand(n, 1)
        curves = torch.stack([a * t, a * t.square(), a * (3 * t).sin()])
        self.values = curves[self.kind, torch.arange(n)] + 0.3 * torch.randn(n, 24) + torch.randn(n, 1) * 0.3

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        return self.values[i], self.kind[i]


class Session:
    def __init__(self, dataset, hidden=48, lr=2e-3):
        self.dataset = dataset
        self.net = nn.Sequential(nn.Linear(24, hidden), nn.GELU(), nn.Linear(hidden, 3))
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=lr)

    def split(self):
        return random_split(self.dataset, [0.8, 0.2])

    def learn(self, part):
        self.net.train()
        total = 0.0
        for x, y in DataLoader(part, batch_size=32, shuffle=True):
            self.opt.zero_grad()
            loss = nn.functional.cross_entropy(self.net(x), y)
            loss.backward()
            self.opt.step()
            total += loss.item() * len(x)
        return total / len(part)

    def validate(self, part):
        self.net.eval()
        hits = 0
        with torch.no_grad():
            for x, y in DataLoader(part, batch_size=64):
                hits += int((self.net(x).argmax(-1) == y).sum())
        return hits / len(part)

    def fit(self, epochs):
        accuracy = 0.0
        for epoch in range(epochs):
            train_part, val_part = self.split()
            loss = self.learn(train_part)
            accuracy = self.validate(val_part)
            print(f"{epoch}: loss {loss:.6f}, validation {accuracy:.3f}")
        return accuracy


torch.manual_seed(77)
session = Session(Curves(1000))
print(f"result: {session.fit(epochs=8):.4f}")
