import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Clips(Dataset):
    """Short clips of one of five spoken commands, drawn as two rising or falling tones."""

    plan = [(5, 9), (9, 5), (5, 5), (9, 9), (7, 14)]

    def __init__(self, count, seed):
        gen = torch.Generator().manual_seed(seed)
        t = torch.linspace(0, 1, 160)
        self.command = torch.randint(0, 5, (count,), generator=gen)
        start, end = torch.tensor(self.plan, dtype=torch.float32)[self.command].T
        pitch = start[:, None] + (end - start)[:, None] * t
        pitch = pitch * (1 + 0.1 * torch.randn(count, 1, generator=gen))
        phase = 2 * math.pi * torch.rand(count, 1, generator=gen)
        wave = torch.sin(2 * math.pi * torch.cumsum(pitch, 1) / 160 + phase)
        self.wave = (wave + 0.7 * torch.randn(count, 160, generator=gen)).unsqueeze(1)

    def __len__(self):
        return len(self.command)

    def __getitem__(self, i):
        return self.wave[i], self.command[i]


def block(a, b):
    return nn.Sequential(nn.Conv1d(a, b, 9, stride=2, padding=4), nn.BatchNorm1d(b), nn.ReLU(), nn.Dropout(0.15))


class Desk:
    def __init__(self):
        self.net = nn.Sequential(block(1, 16), block(16, 24), block(24, 32), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(128, 5))
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=3e-3, weight_decay=1e-2)
        self.loss = nn.CrossEntropyLoss()

    def _validate(self, loader):
        self.net.eval()
        right = total = 0
        with torch.no_grad():
            for wave, command in loader:
                right += int((self.net(wave).argmax(-1) == command).sum())
                total += len(command)
        return right / total

    def _train_batch(self, wave, command):
        self.opt.zero_grad()
        loss = self.loss(self.net(wave), command)
        loss.backward()
        self.opt.step()
        return loss.item()

    def fit(self, train, valid, epochs):
        self.net.train()
        for epoch in range(epochs):
            losses = [self._train_batch(*pair) for pair in train]
            accuracy = self._validate(valid)
            print(f"epoch {epoch:2d} loss {sum(losses) / len(losses):.6f} valid {accuracy:.3f}")


torch.manual_seed(6)
train = DataLoader(Clips(1600, 1), batch_size=40, shuffle=True)
valid = DataLoader(Clips(300, 2), batch_size=100)
test = DataLoader(Clips(600, 3), batch_size=100)
desk = Desk()
desk.fit(train, valid, epochs=5)
print(f"result: {desk._validate(test):.4f}")
