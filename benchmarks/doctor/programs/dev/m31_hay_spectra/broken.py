# %%
# Hay: protein, fibre and sugar (percent) from 60 channels of near infrared light
import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(58)
rng = np.random.default_rng(58)
names = ["protein", "fibre", "sugar"]


# %%
def barn(n):
    parts = np.column_stack([rng.uniform(6, 20, n), rng.uniform(22, 38, n), rng.uniform(3, 16, n)])
    wave = np.linspace(0, 1, 60)
    peaks = np.stack([np.exp(-((wave - c) / w) ** 2) for c, w in ((0.25, 0.1), (0.5, 0.16), (0.72, 0.09))])
    light = (parts / [20, 38, 16]) @ peaks
    light = light ** 0.7 * rng.normal(1, 0.02, (n, 1)) + rng.normal(0, 0.015, (n, 60))
    return light, parts


light_a, parts_a = barn(1600)
light_b, parts_b = barn(400)

# inputs standardised, targets between 0 and 1, both by the training barn
m, s = light_a.mean(0), light_a.std(0)
low, high = parts_a.min(0), parts_a.max(0)


def to_tensors(light, parts):
    return torch.tensor((light - m) / s, dtype=torch.float32), torch.tensor((parts - low) / (high - low), dtype=torch.float32)


loader = DataLoader(TensorDataset(*to_tensors(light_a, parts_a)), batch_size=32, shuffle=True)

# %%
net = nn.Sequential(nn.Linear(60, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=1e-3)

# %%
for epoch in range(1, 21):
    net.train()
    seen, summed = 0, 0.0
    for light, parts in loader:
        optimizer.zero_grad()
        loss = loss_fn(net(light), parts)
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(light)
        seen += len(light)
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d}: {summed / seen:.5f}")

# %%
net.eval()
x, t = to_tensors(light_b, parts_b)
with torch.no_grad():
    off = (net(x) - t).abs().mean(0).numpy() * (high - low)
for name, value in zip(names, off):
    print(f"{name}: off by {value:.3f} percent points")
print(f"mean of the three: {off.mean():.4f}")
