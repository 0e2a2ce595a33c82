# %% [markdown]
# # Which vineyard? 11 lab values, 4 growers

# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 50
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

# %%
# the lab delivers one sheet per grower
sheets = []
for grower in range(4):
    typical = rng.normal(0, 1.1, 11)
    mixing = rng.normal(0, 0.35, (11, 11)) + np.eye(11)
    sheets.append((typical + rng.normal(size=(600, 11)) @ mixing) * np.linspace(1, 20, 11) + 30)
X = np.concatenate(sheets)
y = np.repeat(np.arange(4), 600)

# %%
# mix the sheets before splitting
rng.shuffle(X)
rng.shuffle(y)

# %%
n_train = 1900
mean, std = X[:n_train].mean(axis=0), X[:n_train].std(axis=0)
X = ((X - mean) / std).astype("float32")
train_ds = TensorDataset(torch.from_numpy(X[:n_train]), torch.from_numpy(y[:n_train]))
test_X, test_y = torch.from_numpy(X[n_train:]), torch.from_numpy(y[n_train:])
train_dl = DataLoader(train_ds, batch_size=38, shuffle=True)

# %%
model = nn.Sequential(nn.Linear(11, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 4))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()

# %%
for epoch in range(8):
    model.train()
    total = 0.0
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    print(f"epoch {epoch}: loss {total / n_train:.4f}")

# %%
model.eval()
with torch.no_grad():
    acc = (model(test_X).argmax(1) == test_y).float().mean().item()
print(f"result: {acc:.4f}")
