# %%
import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(17)
torch.manual_seed(17)

# %%
# word counts of short reviews, 60 words, four kinds of product
WORDS, KINDS = 60, 4
tastes = np.random.dirichlet(np.full(WORDS, 0.6), size=KINDS)
kind = np.random.randint(0, KINDS, size=2000)
counts = np.stack([np.random.multinomial(25, 0.5 * tastes[k] + 0.5 / WORDS) for k in kind])

# %%
features = np.log1p(counts).astype(np.float32)
X = torch.from_numpy(features)
y = torch.from_numpy(kind)
train_ds = TensorDataset(X[:1600], y[:1600])
test_ds = TensorDataset(X[1600:], y[1600:])
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=64)

# %%
net = nn.Sequential(nn.Linear(WORDS, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, KINDS))
opt = optim.AdamW(net.parameters(), lr=5e-3)

# %%
for epoch in range(5):
    net.train()
    epoch_loss = 0.0
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        epoch_loss += loss.item()
    print("epoch", epoch, "loss", f"{epoch_loss / len(train_dl):.6f}")

# %%
net.eval()
correct = 0
with torch.no_grad():
    for xb, yb in test_dl:
        correct += (net(xb).argmax(1) == yb).sum().item()
accuracy = correct / len(test_ds)
print(f"result: {accuracy:.4f}")
