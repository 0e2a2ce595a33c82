# %%
import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(6)
rng = np.random.default_rng(6)

# %%
hours = np.arange(1300)
level = np.sin(2 * math.pi * hours / 24) + 0.6 * np.sin(2 * math.pi * hours / 77 + 1) + rng.normal(0, 0.1, len(hours))
first_test = 900
mu, sd = level[:first_test].mean(), level[:first_test].std()
z = torch.tensor((level - mu) / sd, dtype=torch.float32)

# %%
lag = 16
windows = z.unfold(0, lag + 1, 1)
train_w = windows[:first_test - lag]          # ends before hour 900
test_w = windows[first_test:]                 # begins at hour 900
train_loader = DataLoader(TensorDataset(train_w[:, :lag], train_w[:, lag]), batch_size=224, shuffle=True)
test_loader = DataLoader(TensorDataset(test_w[:, :lag], test_w[:, lag]), batch_size=128)


# %%
class LevelGRU(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, w):
        seq, _ = self.gru(w.unsqueeze(-1))
        return self.out(seq[:, -1]).squeeze(-1)


model = LevelGRU()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

# %%
history = []
for epoch in range(150):
    model.train()
    epoch_loss = 0.0
    for past, nxt in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(past), nxt)
        epoch_loss += loss.item() * len(nxt)
        loss.backward()
        optimizer.step()
    history.append(epoch_loss / len(train_w))
    if epoch % 10 == 9:
        print(f"{epoch + 1:4d}  {history[-1]:.4f}")

# %%
model.eval()
error = 0.0
with torch.no_grad():
    for past, nxt in test_loader:
        error += (model(past) - nxt).abs().sum().item()
print(f"result: {error / len(test_w):.4f}")
