# Electricity demand one hour ahead, from the last day
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(30)

hours = torch.arange(24 * 120)
daily = torch.sin(2 * math.pi * hours / 24) + 0.4 * torch.sin(4 * math.pi * hours / 24 + 1)
weekly = 0.5 * ((hours // 24) % 7 < 5).float()
drift = torch.zeros(len(hours))
for h in range(1, len(hours)):
    drift[h] = 0.9 * drift[h - 1] + 0.15 * torch.randn(())
demand = 50 + 8 * (daily + weekly + drift)

cut = 24 * 90
mean, std = demand[:cut].mean(), demand[:cut].std()
demand = (demand - mean) / std


def windows(series, length=24):
    x = series.unfold(0, length + 1, 1)
    return TensorDataset(x[:, :length].unsqueeze(1).clone(), x[:, length].clone())


train_loader = DataLoader(windows(demand[:cut]), batch_size=48, shuffle=True)
test_loader = DataLoader(windows(demand[cut:]), batch_size=128)

model = nn.Sequential(
    nn.Conv1d(1, 16, 5), nn.LeakyReLU(),
    nn.Conv1d(16, 16, 5, stride=2), nn.LeakyReLU(),
    nn.Flatten(),
    nn.Linear(16 * 8, 32), nn.LeakyReLU(),
    nn.Linear(32, 1),
)
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

for epoch in range(8):
    model.train()
    total = 0.0
    for past, following in train_loader:
        forecast = model(past)
        loss = ((forecast - following) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(past)
    print(f"epoch {epoch} mse {total / len(train_loader.dataset):.4f}")

model.eval()
with torch.no_grad():
    forecast = torch.cat([model(past).flatten() for past, _ in test_loader])
actual = test_loader.dataset.tensors[1]
r2 = 1 - (forecast - actual).square().sum() / (actual - actual.mean()).square().sum()
print(f"R2 on the last month: {r2.item():.4f}")
