# %%
import numpy as np
import torch
from torch import nn

torch.manual_seed(21)
rng = np.random.default_rng(21)

# %%
n = 4000
X = rng.normal(size=(n, 16)).astype(np.float32)
risk = 1.6 * X[:, 0] * X[:, 1] + 1.2 * X[:, 2] - 0.9 * np.abs(X[:, 3]) + 0.8 * X[:, 4]
risk += rng.normal(scale=0.7, size=n)
y = (risk > np.quantile(risk, 0.92)).astype(np.int64)
print("fraud share", y.mean())


# %%
def balance(X, y):
    fraud = np.flatnonzero(y == 1)
    extra = rng.choice(fraud, size=(y == 0).sum() - len(fraud))
    return np.concatenate([X, X[extra]]), np.concatenate([y, y[extra]])


def split(X, y, share=0.25):
    order = rng.permutation(len(X))
    cut = int(share * len(X))
    return X[order[cut:]], X[order[:cut]], y[order[cut:]], y[order[:cut]]


# %%
X, y = balance(X, y)
X_train, X_test, y_train, y_test = split(X, y)

# %%
mean, std = X_train.mean(0), X_train.std(0)
X_train = torch.from_numpy((X_train - mean) / std)
X_test = torch.from_numpy((X_test - mean) / std)
y_train = torch.from_numpy(y_train)

# %%
model = nn.Sequential(
    nn.Linear(16, 192), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(192, 96), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(96, 2),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(12):
    model.train()
    total = 0.0
    for pick in torch.randperm(len(X_train)).split(128):
        optimizer.zero_grad()
        loss = criterion(model(X_train[pick]), y_train[pick])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(pick)
    print(epoch, round(total / len(X_train), 4))

# %%
model.eval()
with torch.no_grad():
    guess = model(X_test).argmax(1).numpy()
recalls = [(guess[y_test == k] == k).mean() for k in (0, 1)]
print(f"result: {np.mean(recalls):.4f}")
