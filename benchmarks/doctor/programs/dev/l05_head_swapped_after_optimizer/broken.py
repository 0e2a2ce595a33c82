# %% [markdown]
# # Transfer learning: from many coins to our own three
# First teach the network six foreign coins, then give it a new last layer.

# %%
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(3)
rng = np.random.default_rng(3)

# %%
# every coin kind is a ring pattern; a scan is the radial profile under noise
BANDS = 32
patterns = rng.normal(size=(9, BANDS))


def scans(kinds, n):
    which = rng.integers(0, len(kinds), n)
    clean = patterns[np.array(kinds)[which]]
    return (torch.tensor(clean + rng.normal(0, 1.5, (n, BANDS)), dtype=torch.float32) / 1.8,
            torch.from_numpy(which))


foreign_x, foreign_y = scans(list(range(6)), 1500)
own_x, own_y = scans([6, 7, 8], 400)
test_x, test_y = scans([6, 7, 8], 500)

# %%
class CoinNet(nn.Module):
    def __init__(self, n_kinds):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(BANDS, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())
        self.head = nn.Linear(64, n_kinds)

    def forward(self, x):
        return self.head(self.body(x))


criterion = nn.CrossEntropyLoss()


def fit(net, optimizer, x, y, epochs, bs=25):
    for ep in range(epochs):
        net.train()
        tot = 0.0
        for idx in torch.randperm(len(x)).split(bs):
            optimizer.zero_grad()
            loss = criterion(net(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
            tot += loss.item() * len(idx)
        print(f"  epoch {ep}: {tot / len(x):.4f}")


# %%
print("pretraining")
net = CoinNet(6)
fit(net, torch.optim.Adam(net.parameters(), lr=1e-3), foreign_x, foreign_y, epochs=4)

# %%
print("fine-tuning")
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
net.head = nn.Linear(64, 3)
fit(net, optimizer, own_x, own_y, epochs=6)

# %%
net.eval()
with torch.no_grad():
    acc = (net(test_x).argmax(dim=1) == test_y).float().mean()
print(f"result: {acc:.4f}")
