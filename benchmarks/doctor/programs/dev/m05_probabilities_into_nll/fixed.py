# %%
import math
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(9)

# %%
def spiral(n, arm, arms=3):
    r = torch.rand(n).sqrt() * 0.9 + 0.1
    phi = 3.5 * r + 2 * math.pi * arm / arms + 0.15 * torch.randn(n)
    return torch.stack((r * phi.cos(), r * phi.sin()), 1)


xs = torch.cat([spiral(500, a) for a in range(3)])
ys = torch.arange(3).repeat_interleave(500)
mix = torch.randperm(1500)
train_ds = TensorDataset(xs[mix[:1200]], ys[mix[:1200]])
test_ds = TensorDataset(xs[mix[1200:]], ys[mix[1200:]])

# %%
train_dl = DataLoader(train_ds, batch_size=60, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=300)

# %%
model = nn.Sequential()
model.add_module("lin1", nn.Linear(2, 64))
model.add_module("act1", nn.ReLU())
model.add_module("lin2", nn.Linear(64, 32))
model.add_module("act2", nn.ReLU())
model.add_module("lin3", nn.Linear(32, 3))
model.add_module("out", nn.LogSoftmax(dim=1))
model

# %%
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

# %%
losses = []
for epoch in range(15):
    for points, arms in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(points), arms)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {sum(losses[-20:]) / 20:.6f}")

# %%
hits = 0
with torch.no_grad():
    for points, arms in test_dl:
        hits += (model(points).argmax(1) == arms).sum().item()
print(f"result: {hits / len(test_ds):.4f}")
