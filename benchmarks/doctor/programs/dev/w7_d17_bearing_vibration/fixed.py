# early warning from vibration windows: 1 = damage signature somewhere in the window
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(5)
rng = np.random.default_rng(5)


def record(n):
    y = (rng.random(n) < 0.05).astype(np.int64)
    x = rng.normal(0, 1, (n, 2, 64))
    t = np.arange(12)
    for i in np.flatnonzero(y):
        at = rng.integers(0, 52)
        x[i, :, at:at + 12] += rng.uniform(1.5, 2.3) * np.sin(2 * np.pi * t / 4) * np.hanning(12)
    return torch.tensor(x, dtype=torch.float32), torch.from_numpy(y)


x_train, y_train = record(3000)
x_test, y_test = record(3000)
mean, std = x_train.mean((0, 2), keepdim=True), x_train.std((0, 2), keepdim=True)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

per_class = torch.bincount(y_train)
print("windows per class:", per_class.tolist())
sampler = WeightedRandomSampler(1.0 / per_class[y_train], num_samples=len(y_train))
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=128, sampler=sampler)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=500)

net = nn.Sequential(
    nn.Conv1d(2, 12, 9, padding=4), nn.ReLU(),
    nn.AdaptiveMaxPool1d(1), nn.Flatten(),
    nn.Dropout(0.2), nn.Linear(12, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(12):
    net.train()
    seen, loss_sum = 0, 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        seen += len(yb)
        loss_sum += loss.item() * len(yb)
    print(f"epoch {epoch:2d}  loss {loss_sum / seen:.4f}")

net.eval()
hits, totals = torch.zeros(2), torch.zeros(2)
with torch.no_grad():
    for xb, yb in test_loader:
        pred = net(xb).argmax(1)
        for c in range(2):
            hits[c] += ((pred == c) & (yb == c)).sum()
            totals[c] += (yb == c).sum()
print("accuracy:", round((hits.sum() / totals.sum()).item(), 4))
print("recall per class:", [round(v, 4) for v in (hits / totals).tolist()])
print(f"result: {(hits / totals).mean().item():.4f}")
