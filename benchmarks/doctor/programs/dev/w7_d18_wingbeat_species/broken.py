import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(21)
SPECIES = torch.tensor([0.050, 0.060, 0.071, 0.084, 0.098])   # wingbeats per sample
LENGTH = 192


class Wingbeats(Dataset):
    """Optical wingbeat recordings of five mosquito species."""

    def __init__(self, n):
        self.y = torch.randint(len(SPECIES), (n,))
        freq = (SPECIES[self.y] * (1 + 0.035 * torch.randn(n)))[:, None]
        t = torch.arange(LENGTH)[None]
        phase = 2 * math.pi * torch.rand(n, 1)
        harmonics = torch.rand(n, 2) * 0.5
        wave = torch.sin(2 * math.pi * freq * t + phase)
        for k in range(2):
            wave = wave + harmonics[:, k:k + 1] * torch.sin(2 * math.pi * (k + 2) * freq * t + (k + 2) * phase)
        self.x = wave + 0.4 * torch.randn(n, LENGTH)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


train_set, test_set = Wingbeats(2000), Wingbeats(800)
MEAN, STD = train_set.x.mean(), train_set.x.std()


def stack(items):
    waves = torch.stack([w for w, _ in items])
    return ((waves - MEAN) / STD).unsqueeze(1), torch.stack([y for _, y in items])


def jitter(items):
    x, y = stack(items)
    gain = torch.empty(len(x), 1, 1).uniform_(0.7, 1.4)
    shift = int(torch.randint(LENGTH, (1,)))
    x = torch.roll(x, shift, dims=-1) * gain + 0.1 * torch.randn_like(x)
    gap = int(torch.randint(LENGTH - 20, (1,)))
    x[..., gap:gap + 20] = 0.0
    return x, y


train_loader = DataLoader(train_set, batch_size=50, shuffle=True, collate_fn=jitter)
test_loader = DataLoader(test_set, batch_size=100, collate_fn=jitter)

net = nn.Sequential(
    nn.Conv1d(1, 16, 15, stride=3, padding=7), nn.BatchNorm1d(16), nn.ReLU(),
    nn.Conv1d(16, 32, 15, stride=2, padding=7), nn.BatchNorm1d(32), nn.ReLU(),
    nn.Conv1d(32, 48, 9, padding=4), nn.BatchNorm1d(48), nn.ReLU(),
    nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, len(SPECIES)))
optimizer = torch.optim.Adam(net.parameters(), lr=6e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=6 * len(train_loader))


def accuracy(loader):
    net.eval()
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (net(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)


for epoch in range(6):
    net.train()
    epoch_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        epoch_loss += loss.item() * len(y) / len(train_set)
    print(f"{epoch}: {epoch_loss:.4f}")

print(f"result: {accuracy(test_loader):.4f}")
