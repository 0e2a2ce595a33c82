# %% [markdown]
# # Will the flat be let within a month?
# Two exports of the same web portal, winter and spring. Some adverts are in both.

# %%
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(2024)
torch.manual_seed(2024)

# %%
def adverts(n):
    area = rng.gamma(6, 12, n)
    rent = area * rng.normal(14, 3, n)
    floor = rng.integers(0, 7, n)
    to_centre = rng.exponential(4, n)
    pictures = rng.integers(0, 15, n)
    drive = 3 - 0.35 * (rent / area - 10) - 0.25 * to_centre + 0.08 * pictures - 0.1 * floor
    let = rng.uniform(size=n) < 1 / (1 + np.exp(-2 * drive))
    return np.column_stack([area, rent, floor, to_centre, pictures, let])


portal = adverts(2000)
winter = portal[:1300]
spring = portal[700:]

# %%
table = np.concatenate([winter, spring])
table = np.unique(table, axis=0)
table = rng.permutation(table)
n_test = len(table) // 4
test, train = table[:n_test], table[n_test:]
print(len(train), "rows to train,", len(test), "to test")

# %%
mean, std = train[:, :-1].mean(0), train[:, :-1].std(0)
as_x = lambda rows: torch.tensor((rows[:, :-1] - mean) / std, dtype=torch.float32)
as_y = lambda rows: torch.tensor(rows[:, -1:], dtype=torch.float32)
x_train, y_train, x_test, y_test = as_x(train), as_y(train), as_x(test), as_y(test)

# %%
model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loss_fn = nn.BCEWithLogitsLoss()

for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = loss_fn(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {np.mean(losses):.4f}")

# %%
model.eval()
with torch.no_grad():
    said = (model(x_test) > 0).float()
print(f"test accuracy: {(said == y_test).float().mean().item():.4f}")
