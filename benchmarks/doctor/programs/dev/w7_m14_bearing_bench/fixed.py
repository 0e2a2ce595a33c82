# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(27)
rng = np.random.default_rng(27)

# %%
# bearings on a test bench: 30 readings each, kind of wear (3 classes) and remaining hours
def bench(n, lift, shift):
    wear = rng.integers(0, 3, n)
    age = rng.random(n)
    state = np.stack([age, age ** 2, *(wear == k for k in range(3)), rng.standard_normal(n)], axis=1)
    x = np.tanh(state @ lift + shift) + 0.7 * rng.standard_normal((n, 30))
    hours = 100 * (1 - age) / (1 + 0.5 * wear)
    return x.astype(np.float32), wear, hours.astype(np.float32)


lift, shift = rng.standard_normal((6, 30)), 0.3 * rng.standard_normal(30)
xa, wear_a, hours_a = bench(2000, lift, shift)
xb, wear_b, hours_b = bench(800, lift, shift)
m, s = xa.mean(0), xa.std(0)
hm, hs = hours_a.mean(), hours_a.std()
train = [torch.tensor((xa - m) / s), torch.tensor(wear_a), torch.tensor((hours_a - hm) / hs)]
test = [torch.tensor((xb - m) / s), torch.tensor(wear_b), torch.tensor((hours_b - hm) / hs)]

# %%
class Drop(nn.Module):
    """The same units are left out for the whole batch."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, h):
        if self.training:
            keep = (torch.rand(h.size(1)) > self.rate).float() / (1 - self.rate)
            h = h * keep
        return h


class Bearing(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.enter = nn.Linear(30, width)
        self.inner = nn.Linear(width, width)
        self.drop_a, self.drop_b = Drop(0.2), Drop(0.2)
        self.heads = nn.ModuleDict({"wear": nn.Linear(width, 3), "hours": nn.Linear(width, 1)})

    def forward(self, x):
        h = self.drop_a(torch.tanh(self.enter(x)))
        h = self.drop_b(torch.tanh(self.inner(h)))
        return {name: head(h) for name, head in self.heads.items()}


net = Bearing()
adam = torch.optim.Adam(net.parameters(), lr=1.5e-3)

# %%
for epoch in range(12):
    net.train()
    sums = torch.zeros(2)
    for rows in torch.randperm(len(train[0])).split(50):
        x, wear, hours = (column[rows] for column in train)
        out = net(x)
        parts = torch.stack([F.cross_entropy(out["wear"], wear), F.mse_loss(out["hours"].squeeze(1), hours)])
        adam.zero_grad()
        parts.sum().backward()
        adam.step()
        sums += parts.detach() * len(rows)
    print(epoch, [round(v, 4) for v in (sums / len(train[0])).tolist()])

# %%
net.eval()
with torch.no_grad():
    out = net(test[0])
    kinds = (out["wear"].argmax(1) == test[1]).float().mean().item()
    error = (out["hours"].squeeze(1) - test[2]).abs().mean().item() * float(hs)
print(f"mean error of the remaining time: {error:.2f} h")
print(f"result: {kinds:.4f}")
