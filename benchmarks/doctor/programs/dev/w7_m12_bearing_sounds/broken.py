# %%
import math
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

rng = np.random.default_rng(12)
torch.manual_seed(12)

# %%
def bearing(kind, samples=160):
    t = np.arange(samples) / samples
    hum = np.sin(2 * math.pi * (rng.uniform(6, 9) * t + rng.random()))
    gap = {0: 1000, 1: 40, 2: 27, 3: 18}[kind]
    clicks = np.zeros(samples)
    clicks[rng.integers(0, min(gap, samples))::gap] = rng.uniform(1.5, 2.5)
    ring = np.convolve(clicks, np.exp(-np.arange(8) / 2.5), mode="full")[:samples]
    return hum + ring + 0.4 * rng.standard_normal(samples)

kinds = rng.integers(0, 4, 2000)
waves = torch.tensor(np.stack([bearing(k) for k in kinds]), dtype=torch.float32).unsqueeze(1)
kinds = torch.from_numpy(kinds)
mean, std = waves[:1500].mean(), waves[:1500].std()
waves = (waves - mean) / std

# %%
class DilatedBlock(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
        self.norm = nn.GroupNorm(4, channels)

    def forward(self, x):
        return x + F.relu(self.norm(self.conv(x)))

class SoundNet(nn.Module):
    def __init__(self, channels=20, classes=4):
        super().__init__()
        self.stem = nn.Conv1d(1, channels, 5, padding=2)
        self.blocks = nn.ModuleList([DilatedBlock(channels, 2 ** k) for k in range(5)])
        self.head = nn.Linear(2 * channels, classes)

    def forward(self, x):
        h = self.stem(x)
        for k in range(1, len(self.blocks)):
            h = self.blocks[k](h)
        return self.head(torch.cat([h.mean(-1), h.amax(-1)], dim=1))

# %%
net = SoundNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(8):
    net.train()
    total = 0.0
    for rows in torch.randperm(1500).split(60):
        loss = F.cross_entropy(net(waves[rows]), kinds[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(epoch, round(total / 1500, 4))

# %%
net.eval()
with torch.no_grad():
    accuracy = (net(waves[1500:]).argmax(1) == kinds[1500:]).float().mean().item()
print(f"result: {accuracy:.4f}")
