import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Assay(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 3))

    def forward(self, x):
        return self.body(x)


def masked_mse(out, target):
    known = ~torch.isnan(target)
    return ((out[known] - target[known]) ** 2).mean()


torch.manual_seed(105)
x = torch.randn(1500, 10)
y = torch.stack([x[:, 0] * x[:, 1], torch.sin(2 * x[:, 2]), x[:, 3:6].sum(1) / 2], dim=1) + 0.1 * torch.randn(1500, 3)
y_seen = y.clone()
y_seen[torch.rand(1500, 3) < 0.3] = math.nan
loader = DataLoader(TensorDataset(x[:1200], y_seen[:1200]), batch_size=30, shuffle=True)
model = Assay()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(10):
    total = 0.0
    for xb, yb in loader:
        loss = masked_mse(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(loader):.6f}")
with torch.no_grad():
    error = masked_mse(model(x[1200:]), y_seen[1200:]).item()
known = y_seen[1200:][~torch.isnan(y_seen[1200:])]
print(f"result: {1 - error / known.var().item():.4f}")
