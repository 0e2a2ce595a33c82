# %% [markdown]
# # Insurance fraud baseline (PyTorch)
# Only one claim in twelve is fraudulent, so the fraud rows are repeated.

# %%
import numpy as np
import torch
import torch.nn as nn

np.random.seed(42)
torch.manual_seed(42)

# %%
n_claims, n_columns = 1800, 16
X = np.random.randn(n_claims, n_columns).astype(np.float32)
risk = X[:, 0] + X[:, 1] * X[:, 2] + 0.7 * X[:, 3] + np.random.randn(n_claims)
y = (risk > np.quantile(risk, 11 / 12)).astype(np.float32)
print("fraud share:", y.mean().round(3))

# %%
def oversample_fraud(y, times):
    """Row numbers of additional fraud rows."""
    return np.random.choice(np.flatnonzero(y == 1), size=int(times * y.sum()))

# %% balance the table
extra = oversample_fraud(y, 8)
X, y = np.concatenate([X, X[extra]]), np.concatenate([y, y[extra]])

# %% hold out 20 %
order = np.random.permutation(len(X))
n_test = len(X) // 5
test_rows, train_rows = order[:n_test], order[n_test:]
X_train, y_train = X[train_rows], y[train_rows]
X_test, y_test = X[test_rows], y[test_rows]

# %%
X_train, y_train = torch.from_numpy(X_train), torch.from_numpy(y_train)
X_test, y_test = torch.from_numpy(X_test), torch.from_numpy(y_test)
clf = nn.Sequential(nn.Linear(n_columns, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
opt = torch.optim.Adam(clf.parameters(), lr=3e-3)
criterion = nn.BCEWithLogitsLoss()

# %%
for epoch in range(12):
    losses = []
    for batch in torch.randperm(len(X_train)).split(64):
        opt.zero_grad()
        loss = criterion(clf(X_train[batch]).squeeze(1), y_train[batch])
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"epoch {epoch:2d} loss {np.mean(losses):.4f}")

# %%
with torch.no_grad():
    flagged = torch.sigmoid(clf(X_test).squeeze(1)) > 0.5
recall = flagged[y_test == 1].float().mean().item()
specificity = (~flagged[y_test == 0]).float().mean().item()
print(f"recall {recall:.3f} specificity {specificity:.3f}")
print(f"result: {(recall + specificity) / 2:.4f}")
