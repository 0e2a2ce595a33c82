# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(77)
rng = np.random.default_rng(77)
ACTIVITIES = ["walk", "run", "stairs", "cycle", "rest"]

# %%
rows, signals = [], []
t = np.arange(60) / 20
for i in range(1500):
    act = rng.integers(len(ACTIVITIES))
    pace = [1.6, 2.6, 1.4, 2.0, 0.5][act] + rng.normal(scale=0.15)
    force = [1.0, 1.8, 1.2, 0.6, 0.15][act] * rng.uniform(0.7, 1.3)
    phase = rng.uniform(0, 2 * np.pi, size=3)
    wave = force * np.sin(2 * np.pi * pace * t[None] + phase[:, None])
    if act == 2:
        wave[2] += 0.6 * force * np.sin(4 * np.pi * pace * t + phase[2])
    signals.append(wave + rng.normal(scale=0.5, size=(3, 60)))
    rows.append({"subject": i % 30, "activity": ACTIVITIES[act]})
meta = pd.DataFrame(rows)
signals = np.stack(signals).astype(np.float32)
meta.activity.value_counts()

# %%
meta["target"] = meta.activity.map(ACTIVITIES.index)
held_out = (meta.subject >= 24).to_numpy()
mean = signals[~held_out].mean(axis=(0, 2), keepdims=True)
std = signals[~held_out].std(axis=(0, 2), keepdims=True)
x = torch.from_numpy((signals - mean) / std)
y = torch.from_numpy(meta.target.to_numpy().copy())
mask = torch.tensor(held_out)
train_loader = DataLoader(TensorDataset(x[~mask], y[~mask]), batch_size=40, shuffle=True)
test_loader = DataLoader(TensorDataset(x[mask], y[mask]), batch_size=100)

# %%
n_out = meta.activity.nunique()
model = nn.Sequential(
    nn.Conv1d(3, 32, 9), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(32, 48, 7), nn.ReLU(),
    nn.AdaptiveMaxPool1d(1), nn.Flatten(),
    nn.Dropout(0.1), nn.Linear(48, n_out),
)
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)

# %%
for epoch in range(14):
    model.train()
    losses = []
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"{epoch}: {np.mean(losses):.4f}")

# %%
model.eval()
hits = 0
with torch.no_grad():
    for xb, yb in test_loader:
        hits += (model(xb).argmax(dim=1) == yb).sum().item()
print(f"result: {hits / int(mask.sum()):.4f}")
