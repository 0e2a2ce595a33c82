# %% [markdown]
# How late will the 14 be?  We want a promise that holds nine times out of ten.

# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(90)
rng = np.random.default_rng(90)

# %%
n = 4000
hour = rng.uniform(5, 24, n)
rain = rng.gamma(0.6, 2.0, n)
stops = rng.integers(3, 40, n)
weekend = rng.random(n) < 2 / 7
rush = np.exp(-((hour - 8) / 1.3) ** 2) + np.exp(-((hour - 17.5) / 1.8) ** 2)
typical = 0.08 * stops + 3.5 * rush * (~weekend) + 0.25 * rain
delay = typical + rng.gamma(2.0, 0.4 + 0.3 * typical)  # minutes

table = np.stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), hour, rain, stops, weekend], axis=1)
cut = 3200
mu, sd = table[:cut].mean(0), table[:cut].std(0)
X = torch.tensor((table - mu) / sd, dtype=torch.float32)
y = torch.tensor(delay, dtype=torch.float32)
train_loader = DataLoader(TensorDataset(X[:cut], y[:cut]), batch_size=64, shuffle=True)


# %%
class PinballLoss(nn.Module):
    def __init__(self, tau):
        super().__init__()
        self.tau = tau

    def forward(self, pred, target):
        miss = target - pred
        return torch.maximum(self.tau * miss, (self.tau - 1) * miss).mean()


net = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
criterion = PinballLoss(0.9)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

# %%
for epoch in range(15):
    net.train()
    total = 0.0
    for xb, yb in train_loader:
        promised = net(xb).squeeze(1)
        loss = criterion(promised, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1:2d}  pinball {total / cut:.3f}")

# %%
net.eval()
with torch.no_grad():
    promised = net(X[cut:]).squeeze(1)
kept = (y[cut:] <= promised).float().mean().item()
print(f"typical promise {promised.median():.1f} min, real median {y[cut:].median():.1f} min")
print(f"promises kept on unseen days: {100 * kept:.1f} %")
