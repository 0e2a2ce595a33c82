# Fault detection on pump sensors. The last bias starts at the log-odds of a rare event,
# as in the focal loss paper, so that training does not begin with a huge loss.
import math

import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(28)
rng = np.random.default_rng(28)

n, d = 4000, 14
z = rng.normal(size=(n, d))
raw = (z + 0.3 * z[:, :1]) * rng.uniform(0.5, 20, d) + rng.normal(size=d) * 10
risk = z[:, 0] * z[:, 1] + np.abs(z[:, 2]) + z[:, 3] + 0.5 * rng.normal(size=n)
fault = (risk > 1.8).astype(np.float32)

train_raw, test_raw = raw[:3000], raw[3000:]
mu, sigma = train_raw.mean(0), train_raw.std(0)
x_train = torch.tensor((train_raw - mu) / sigma, dtype=torch.float32)
x_test = torch.tensor((test_raw - mu) / sigma, dtype=torch.float32)
y_train, y_test = torch.from_numpy(fault[:3000]), fault[3000:]

model = nn.Sequential(
    nn.Linear(d, 64), nn.ReLU(),
    nn.Linear(64, 32), nn.ReLU(),
    nn.Linear(32, 1),
)
prior = 0.02
for layer in [model[-1]]:
    nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))

optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.BCEWithLogitsLoss()
for epoch in range(8):
    perm = torch.randperm(len(x_train))
    total = 0.0
    for i in range(0, len(perm), 60):
        b = perm[i:i + 60]
        optimizer.zero_grad()
        loss = loss_fn(model(x_train[b]).squeeze(1), y_train[b])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(b)
    print(f"epoch {epoch} bce {total / len(perm):.4f}")

with torch.no_grad():
    score = model(x_test).squeeze(1).numpy()
pos, neg = score[y_test == 1], score[y_test == 0]
auc = (pos[:, None] > neg[None, :]).mean() + 0.5 * (pos[:, None] == neg[None, :]).mean()
print(f"result: {auc:.4f}")
