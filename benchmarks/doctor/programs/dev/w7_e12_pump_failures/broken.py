# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(4)
g = torch.Generator().manual_seed(4)

# %%
def pumps(n):
    fails = (torch.rand(n, generator=g) < 0.12).long()
    wear = 0.85 * fails + torch.randn(n, generator=g)
    heat = 0.75 * fails + torch.randn(n, generator=g)
    load = torch.randn(n, generator=g)
    readings = torch.stack([
        60 + 8 * heat + 3 * load,
        2.4 + 0.5 * wear,
        1450 + 60 * load,
        12 + 0.6 * wear - 0.8 * load + 0.5 * torch.randn(n, generator=g),
        7 + torch.randn(n, generator=g)], dim=1)
    return readings, fails


x_train, y_train = pumps(4000)
x_test, y_test = pumps(1500)
mu, sigma = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mu) / sigma, (x_test - mu) / sigma

# %%
counts = torch.bincount(y_train).double()
sampler = WeightedRandomSampler(weights=counts[y_train], num_samples=len(y_train), generator=g)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=100, sampler=sampler)

# %%
net = nn.Sequential(
    nn.Linear(5, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(0.1),
    nn.Linear(128, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(0.1),
    nn.Linear(128, 2))
opt = torch.optim.AdamW(net.parameters(), lr=5e-4, weight_decay=1e-2)
loss_fn = nn.CrossEntropyLoss()

# %%
history = []
for epoch in range(6):
    net.train()
    summed = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        opt.step()
        summed += loss.item() * len(yb)
    history.append(summed / len(y_train))
print(["%.3f" % h for h in history])

# %%
net.eval()
with torch.no_grad():
    guess = net(x_test).argmax(dim=1)
recalls = [(guess[y_test == c] == c).float().mean() for c in (0, 1)]
print("recall per class:", ["%.3f" % r for r in recalls])
balanced = torch.stack(recalls).mean().item()
print(f"result: {balanced:.4f}")
