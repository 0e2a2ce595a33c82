# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
rng = np.random.default_rng(2)

# %%
n = 2100
df = pd.DataFrame(rng.normal(size=(n, 18)), columns=[f"usage_{i:02d}" for i in range(18)])
df["months"] = rng.integers(1, 60, n)
df["plan"] = rng.integers(0, 3, n)
score = 1.1 * df.usage_00 - 0.9 * df.usage_01 + 0.7 * (df.plan - 1) - 0.03 * (df.months - 30) - 1.9
df["left"] = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)
df.head()

# %%
features = df.columns.drop("left")
shuffled = df.sample(frac=1, random_state=2)
parts = shuffled[:350], shuffled[350:650], shuffled[650:]
mu, sd = parts[0][features].mean(), parts[0][features].std()


def tensors(frame):
    x = ((frame[features] - mu) / sd).to_numpy(dtype=np.float32)
    return torch.from_numpy(x), torch.from_numpy(frame["left"].to_numpy(dtype=np.float32))


(x_tr, y_tr), (x_va, y_va), (x_te, y_te) = map(tensors, parts)
loader = DataLoader(TensorDataset(x_tr, y_tr), batch_size=32, shuffle=True)
print("share that left, training part:", y_tr.mean().item())

# %%
net = nn.Sequential(nn.Linear(len(features), 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.BCEWithLogitsLoss()

# %%
for epoch in range(50):
    net.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss_fn(net(xb).squeeze(1), yb).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        val_loss = loss_fn(net(x_va).squeeze(1), y_va).item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: validation loss {val_loss:.4f}")

# %%
net.eval()
with torch.no_grad():
    left = net(x_te).squeeze(1) > 0
accuracy = (left == (y_te > 0.5)).float().mean().item()
print(f"result: {accuracy:.4f}")
