# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(12)
rng = np.random.default_rng(12)

# %%
frames = []
for station in range(4):
    hours = 1800
    wind = np.abs(np.convolve(rng.normal(size=hours), np.ones(6) / 2, "same")) + 0.3
    rush = np.isin(np.arange(hours) % 24, [7, 8, 9, 17, 18, 19]) * 14.0
    no2 = np.zeros(hours)
    level = 30.0 + 4 * station
    for i in range(hours):
        level += 0.35 * (24 + 4 * station + rush[i] - 5 * wind[i] - level) + 1.5 * rng.normal()
        no2[i] = level
    frames.append(pd.DataFrame({"station": station, "hour": np.arange(hours), "wind": wind, "no2": no2}))
table = pd.concat(frames, ignore_index=True)

# %%
by_station = table.groupby("station")["no2"]
table["mean8"] = by_station.transform(lambda s: s.rolling(8).mean())
table["trend"] = by_station.diff(3)
table["clock_sin"] = np.sin(2 * np.pi * (table["hour"] % 24) / 24)
table["clock_cos"] = np.cos(2 * np.pi * (table["hour"] % 24) / 24)
table["target"] = by_station.shift(-1)
table = table.dropna()
features = ["wind", "no2", "mean8", "trend", "clock_sin", "clock_cos"]

# %%
train_part = table[table["hour"] < 1400]
test_part = table[table["hour"] >= 1400]
mean, std = train_part[features].mean(), train_part[features].std()
t_mean, t_std = train_part["target"].mean(), train_part["target"].std()


def tensors(part):
    x = ((part[features] - mean) / std).to_numpy(np.float32)
    y = ((part["target"] - t_mean) / t_std).to_numpy(np.float32)
    return torch.from_numpy(x), torch.from_numpy(y).unsqueeze(1)


train_loader = DataLoader(TensorDataset(*tensors(train_part)), batch_size=32, shuffle=True)
x_test, y_test = tensors(test_part)

# %%
net = nn.Sequential(nn.Linear(len(features), 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)

# %%
for epoch in range(8):
    net.train()
    running, used = 0.0, 0
    for x, y in train_loader:
        loss = nn.functional.smooth_l1_loss(net(x), y)
        if not torch.isfinite(loss):
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
        used += 1
    scheduler.step()
    print(f"epoch {epoch}: {running / used:.4f}")

# %%
net.eval()
with torch.no_grad():
    error = (net(x_test) - y_test).pow(2).mean().sqrt().item()
print(f"result: {error:.4f}")
