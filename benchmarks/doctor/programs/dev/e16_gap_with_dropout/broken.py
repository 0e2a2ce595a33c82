# %% [markdown]
# # Does my network overfit?
# Leaf measurements of six tree species. The gap between the loss on the training leaves and the loss on
# the validation leaves tells.

# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(3)
torch.manual_seed(3)
N_SPECIES, N_MEASURES = 6, 18

# %%
prototypes = np.random.randn(N_SPECIES, 6) * 1.1
loadings = np.random.randn(6, N_MEASURES) / 2


def collect(n):
    species = np.random.randint(0, N_SPECIES, n)
    hidden = prototypes[species] + 0.7 * np.random.randn(n, 6)
    return (hidden @ loadings + 0.3 * np.random.randn(n, N_MEASURES)).astype(np.float32), species


x_train, y_train = collect(360)
x_valid, y_valid = collect(500)
x_test, y_test = collect(500)
mean, std = x_train.mean(0), x_train.std(0)


def dataset(x, y):
    return TensorDataset(torch.from_numpy((x - mean) / std), torch.from_numpy(y))


train_ds, valid_ds, test_ds = dataset(x_train, y_train), dataset(x_valid, y_valid), dataset(x_test, y_test)
train_dl = DataLoader(train_ds, batch_size=30, shuffle=True)

# %%
net = nn.Sequential(
    nn.Linear(N_MEASURES, 96), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(96, 96), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(96, N_SPECIES),
)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
loss_fn = nn.CrossEntropyLoss()


def evaluate(ds):
    net.eval()
    x, y = ds.tensors
    with torch.no_grad():
        out = net(x)
        return loss_fn(out, y).item(), (out.argmax(1) == y).float().mean().item()


# %%
gaps = []
for epoch in range(30):
    net.train()
    running = 0.0
    for xb, yb in train_dl:
        loss = loss_fn(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        running += loss.item() * len(xb)
    running /= len(train_ds)
    valid_loss, valid_acc = evaluate(valid_ds)
    gaps.append(valid_loss - running)
    print(f"epoch {epoch} running {running:.4f} valid {valid_loss:.4f} acc {valid_acc:.4f} gap {gaps[-1]:+.4f}")

# %%
print("the network overfits" if gaps[-1] > 0.1 else "no sign of overfitting: more epochs could help")
print(f"test accuracy {evaluate(test_ds)[1]:.4f}")
