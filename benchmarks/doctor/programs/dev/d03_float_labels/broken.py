# %% [markdown]
# # Penguins, kind of
# Four measurements per bird; the species number stands in the last column of the CSV.

# %%
import io

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(7)
rng = np.random.default_rng(7)

# %% [markdown]
# ## Data

# %%
typical = np.array([[38.8, 18.3, 190.0, 3700.0], [48.8, 18.4, 196.0, 3733.0], [47.5, 15.0, 217.0, 5076.0]])
spread = np.array([2.7, 1.2, 6.5, 450.0])
species = rng.integers(0, 3, 900)
birds = typical[species] + rng.normal(size=(900, 4)) * spread
csv = io.StringIO()
np.savetxt(csv, np.column_stack([birds, species]), delimiter=",", fmt="%.2f")

# %%
csv.seek(0)
data = np.loadtxt(csv, delimiter=",", dtype=np.float32)
features = torch.from_numpy(data[:, :-1])
labels = torch.from_numpy(data[:, -1])
features.shape, labels.shape

# %%
train_part, test_part = random_split(TensorDataset(features, labels), [700, 200])
train_features = features[train_part.indices]
mean, std = train_features.mean(0), train_features.std(0)

# %% [markdown]
# ## Model

# %%
class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        return (x - self.mean) / self.std


model = nn.Sequential(Standardize(mean, std), nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

# %%
for epoch in range(10):
    for xb, yb in DataLoader(train_part, batch_size=35, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
    print(epoch, f"{loss.item():.4f}")

# %%
correct = 0
with torch.no_grad():
    for xb, yb in DataLoader(test_part, batch_size=100):
        correct += (model(xb).argmax(dim=1) == yb).sum().item()
print(f"result: {correct / len(test_part):.4f}")
