# %%
# Pumps that will break within a week (rare) against pumps that will run on.
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(404)
torch.manual_seed(404)

# %%
n = 1500
readings = rng.normal(size=(n, 10))
risk = 1.2 * readings[:, 0] + readings[:, 1] * readings[:, 2] + 0.9 * readings[:, 3] + rng.normal(0, 0.9, n)
broke = (risk > np.quantile(risk, 0.9)).astype(np.int64)
readings = readings * [3, 0.2, 11, 1, 6, 2, 40, 0.5, 8, 1] + [60, 4, 120, 0, 9, 2, 300, 1, 30, 7]
print("pumps", n, "breaking", broke.sum())


# %%
def repeat_rare(x, y):
    rare = np.flatnonzero(y == 1)
    extra = rng.choice(rare, size=(y == 0).sum() - len(rare), replace=True)
    rows = np.concatenate([np.arange(len(y)), extra])
    return x[rows], y[rows]


# %%
readings, broke = repeat_rare(readings, broke)
order = rng.permutation(len(readings))
cut = int(0.75 * len(order))
train_rows, test_rows = order[:cut], order[cut:]
train_x, train_y = readings[train_rows], broke[train_rows]
test_x, test_y = readings[test_rows], broke[test_rows]
mean, std = train_x.mean(axis=0), train_x.std(axis=0)
train_x, test_x = [torch.tensor((part - mean) / std, dtype=torch.float32) for part in (train_x, test_x)]
train_y, test_y = torch.tensor(train_y), torch.tensor(test_y)
print("train", len(train_y), "test", len(test_y), "breaking in test", int(test_y.sum()))

# %%
net = torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ELU(), torch.nn.Linear(64, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3, weight_decay=1e-4)

# %%
for epoch in range(16):
    net.train()
    shuffled = torch.randperm(len(train_y))
    loss_sum = 0.0
    for rows in shuffled.split(60):
        loss = F.cross_entropy(net(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {loss_sum / len(train_y):.3f}")

# %%
net.eval()
with torch.no_grad():
    guess = net(test_x).argmax(dim=1)
found = (guess[test_y == 1] == 1).float().mean().item()
quiet = (guess[test_y == 0] == 0).float().mean().item()
print(f"breaking pumps found {found:.3f}, healthy pumps left alone {quiet:.3f}")
print(f"balanced accuracy on held-out pumps {(found + quiet) / 2:.4f}")
