# %%
import numpy as np
import torch
from torch import nn, optim

np.random.seed(5)
torch.manual_seed(5)

# %%
patients = 1600
age = np.random.uniform(20, 90, patients)
pressure = np.random.normal(125, 18, patients)
visits = np.random.poisson(3, patients)
sugar = np.random.normal(5.4, 1.1, patients)
table = np.stack([age, pressure, visits, sugar], axis=1)
danger = (age - 55) / 20 + (pressure - 125) / 18 + (visits - 3) / 2 + 0.7 * (sugar - 5.4)
again = (danger > 0.2).astype(np.float32)

# %%
order = np.random.permutation(patients)
train_rows, test_rows = order[:1200], order[1200:]
mean, std = table[train_rows].mean(0), table[train_rows].std(0)
features = torch.tensor((table - mean) / std, dtype=torch.float32)
target = torch.tensor(again).unsqueeze(1)

# %%
net = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1))
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.RMSprop(net.parameters(), lr=2e-3)

# %%
def batches(rows, size):
    rows = np.random.permutation(rows)
    for at in range(0, len(rows), size):
        pick = torch.from_numpy(rows[at:at + size])
        yield features[pick], target[pick]

for epoch in range(6):
    losses = []
    for x, y in batches(train_rows, 40):
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: mean loss {np.mean(losses):.6f}")

# %%
with torch.no_grad():
    said = (net(features[test_rows]) > 0).float()
result = (said == target[test_rows]).float().mean().item()
print(f"result: {result:.4f}")
