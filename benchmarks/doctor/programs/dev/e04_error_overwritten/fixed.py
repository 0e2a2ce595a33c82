# %%
import numpy as np
import torch
from torch import nn

torch.manual_seed(25)
rng = np.random.default_rng(25)

# %%
days = np.arange(1600)
load = 10 + 3 * np.sin(2 * np.pi * days / 7) + 2 * np.sin(2 * np.pi * days / 90) + rng.normal(0, 0.4, days.size)
load = (load - load[:1200].mean()) / load[:1200].std()
windows = np.lib.stride_tricks.sliding_window_view(load, 15).astype(np.float32)
X, Y = torch.tensor(windows[:, :14]), torch.tensor(windows[:, 14:])
X_train, Y_train = X[:1200], Y[:1200]
X_test, Y_test = X[1214:], Y[1214:]

# %%
model = nn.Sequential(nn.Linear(14, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.SmoothL1Loss()

# %%
for epoch in range(8):
    total = 0.0
    for rows in torch.randperm(len(X_train)).split(40):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), Y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch}: {total / len(X_train):.6f}")

# %%
model.eval()
squared_error = 0.0
count = 0
with torch.no_grad():
    for xb, yb in zip(X_test.split(50), Y_test.split(50)):
        squared_error += (model(xb) - yb).pow(2).sum().item()
        count += len(yb)
mse = squared_error / count
print(f"result: {1 - mse / Y_test.var().item():.4f}")
