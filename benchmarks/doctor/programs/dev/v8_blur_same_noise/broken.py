import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
c = torch.randn(4, 30)
y = torch.randint(4, (1600,))
x = c[y] + torch.randn(1600, 30)


def blur(batch, seed=3):
    rng = np.random.RandomState(seed)
    noise = torch.from_numpy(rng.normal(0, 0.5, batch.shape).astype("float32"))
    keep = torch.from_numpy((rng.rand(*batch.shape) > 0.1).astype("float32"))
    return (batch + noise) * keep


net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 4))
opt = torch.optim.Adam(net.parameters(), 2e-3)
for epoch in range(5):
    for a, b in DataLoader(TensorDataset(x[:1200], y[:1200]), 40, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(net(blur(a)), b).backward()
        opt.step()
net.eval()
with torch.no_grad():
    print(f"result: {(net(x[1200:]).argmax(1) == y[1200:]).float().mean():.4f}")
