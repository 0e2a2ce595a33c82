import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Heartbeats(Dataset):
    """Three rhythms, 50 readings each; now and then a reading got lost."""

    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.rhythm = torch.randint(0, 3, (count,), generator=g)
        t = torch.linspace(0, 1, 50)
        rate = torch.tensor([2.0, 3.5, 5.0])[self.rhythm].unsqueeze(1) + 0.4 * torch.rand(count, 1, generator=g)
        beat = torch.sin(2 * math.pi * rate * t + 3 * torch.rand(count, 1, generator=g)).pow(3)
        self.signal = beat + 0.3 * torch.randn(count, 50, generator=g)
        lost = torch.rand(count, 50, generator=g) < 2e-4
        self.signal[lost] = float("nan")

    def __len__(self):
        return len(self.rhythm)

    def __getitem__(self, i):
        return self.signal[i], self.rhythm[i]


class RhythmNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 24, batch_first=True)
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        steps, last = self.gru(x.view(-1, 10, 5))
        return self.head(last[-1])


class Runner:
    def __init__(self):
        self.model = RhythmNet()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.loss_fn = nn.CrossEntropyLoss()

    def train_epoch(self, loader):
        self.model.train()
        total, used = 0.0, 0
        for x, y in loader:
            loss = self.loss_fn(self.model(x), y)
            if not math.isfinite(loss.item()):
                continue
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            total += loss.item()
            used += 1
        return total / used

    @torch.no_grad()
    def accuracy(self, loader):
        self.model.eval()
        return sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


torch.manual_seed(1)
train_loader = DataLoader(Heartbeats(1200, 10), batch_size=24, shuffle=True)
test_loader = DataLoader(Heartbeats(300, 20), batch_size=60)
runner = Runner()
for epoch in range(6):
    print(epoch, f"{runner.train_epoch(train_loader):.6f}")
print(f"result: {runner.accuracy(test_loader):.4f}")
