# %%
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(12)
rng = np.random.default_rng(12)

# %%
wave = np.linspace(0, 1, 96)
pure = np.stack([np.exp(-((wave - c) / s) ** 2) for c, s in [(0.25, 0.08), (0.45, 0.12), (0.6, 0.07)]])
share = rng.dirichlet([1.5, 1.5, 1.5], 2048 + 500).astype(np.float32)
spectra = 1 - np.exp(-2.5 * share @ pure) + rng.normal(0, 0.03, (len(share), 96))
spectra = spectra * rng.uniform(0.8, 1.2, (len(share), 1))
mean, std = spectra[:2048].mean(0), spectra[:2048].std(0)
x_all = torch.tensor((spectra - mean) / std, dtype=torch.float32).unsqueeze(1)
y_all = torch.from_numpy(share)

# %%
train_loader = DataLoader(TensorDataset(x_all[:2048], y_all[:2048]), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(x_all[2048:], y_all[2048:]), batch_size=250)

# %%
x, y = next(iter(train_loader))
print("batch of spectra:", tuple(x.shape), "batch of shares:", tuple(y.shape))
print("first shares:", y[0].tolist())

# %%
net = nn.Sequential(
    nn.Conv1d(1, 8, 7, stride=2, padding=3), nn.ReLU(),
    nn.Conv1d(8, 16, 5, stride=2, padding=2), nn.ReLU(),
    nn.Flatten(), nn.Linear(16 * 24, 64), nn.ReLU(), nn.Linear(64, 3))
print(net(x).shape)
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)

# %%
for epoch in range(12):
    net.train()
    total = 0.0
    for xb, yb in train_loader:
        pred = net(xb)
        loss = loss_fn(pred, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    print(f"epoch {epoch:2d}: {total / 2048:.5f}")

# %%
net.eval()
off, count = 0.0, 0
with torch.no_grad():
    for xb, yb in test_loader:
        off += (net(xb) - yb).abs().sum().item()
        count += yb.numel()
print(f"result: {off / count:.4f}")
