# %%
import os
import tempfile

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(116)
x = torch.randn(1500, 6)
y = ((x[:, 0] - x[:, 1]) * x[:, 2] + 0.2 * torch.randn(1500) > 0).long()
train = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=40, shuffle=True)

# %%
def new_model():
    return nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Dropout(0.05), nn.Linear(48, 2))


def epoch_of(model, optimizer):
    model.train()
    total = 0.0
    for xb, yb in train:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(train)

# %%
model = new_model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(3):
    print(f"epoch {epoch} loss {epoch_of(model, optimizer):.6f}")

# %%
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
    checkpoint = torch.load(path, weights_only=True)

# %%
model = new_model()
model.load_state_dict(checkpoint["model"])
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
optimizer.load_state_dict(checkpoint["optimizer"])
for epoch in range(checkpoint["epoch"], 7):
    print(f"epoch {epoch} loss {epoch_of(model, optimizer):.6f}")

# %%
model.eval()
with torch.no_grad():
    print(f"result: {(model(x[1200:]).argmax(1) == y[1200:]).float().mean().item():.4f}")
