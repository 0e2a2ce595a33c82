# %%
import torch
import numpy as np
from torch import nn

torch.manual_seed(100)
rng = np.random.RandomState(100)

# %%
# measurements of seeds: length, width, area, roundness, weight, two colours
n = 2000
variety = rng.randint(0, 4, n)
length = rng.normal([5.2, 6.1, 5.7, 6.6], 0.35, (n, 4))[np.arange(n), variety]
width = rng.normal([3.2, 3.0, 3.7, 3.5], 0.25, (n, 4))[np.arange(n), variety]
area = length * width * rng.normal(0.78, 0.03, n)
roundness = width / length + rng.normal(0, 0.02, n)
weight = area * rng.normal(2.1, 0.15, n)
red, green = rng.normal(120 + 6 * variety, 12), rng.normal(90, 10, n)
X = np.stack([length, width, area, roundness, weight, red, green], 1).astype(np.float32)
y = variety

# %%
class StandardScaler:
    def fit(self, X):
        self.mean_, self.scale_ = X.mean(0), X.std(0)
        return self
    def transform(self, X):
        return (X - self.mean_) / self.scale_
    def fit_transform(self, X):
        return self.fit(X).transform(X)

def train_test_split(X, y, test_size):
    idx = rng.permutation(len(X))
    k = int(test_size * len(X))
    return X[idx[k:]], X[idx[:k]], y[idx[k:]], y[idx[:k]]

# %%
scaler = StandardScaler()
X = scaler.fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25)
X_train, X_test = torch.from_numpy(X_train), torch.from_numpy(X_test)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

# %%
clf = nn.Sequential(nn.Linear(7, 80), nn.BatchNorm1d(80), nn.ELU(), nn.Linear(80, 80), nn.BatchNorm1d(80), nn.ELU(), nn.Linear(80, 4))
optim = torch.optim.SGD(clf.parameters(), lr=0.05, momentum=0.9, nesterov=True)
epochs, bs = 10, 50
sched = torch.optim.lr_scheduler.CosineAnnealingLR(optim, T_max=epochs)

for ep in range(epochs):
    clf.train()
    tot = 0.0
    for b in torch.randperm(len(X_train)).split(bs):
        loss = nn.functional.cross_entropy(clf(X_train[b]), y_train[b])
        optim.zero_grad()
        loss.backward()
        optim.step()
        tot += loss.item() * len(b)
    sched.step()
    print(f"{ep} {tot / len(X_train):.6f}")

# %%
clf.eval()
with torch.no_grad():
    yhat = clf(X_test).argmax(1)
print(f"result: {(yhat == y_test).float().mean().item():.4f}")
