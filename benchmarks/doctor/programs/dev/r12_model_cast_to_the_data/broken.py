import numpy as np
import torch
from torch import nn
rng = np.random.default_rng(1)
X = rng.normal(size=(1200, 6)); T = X @ np.array([1., -1, 2, 0, 0.5, 3]) + 0.1 * rng.normal(size=1200)
torch.manual_seed(0)
x, t = torch.from_numpy(X), torch.from_numpy(T)[:, None]
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1)).to(x.dtype)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(5):
    for rows in torch.randperm(1000).split(40):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), t[rows])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {1 - nn.functional.mse_loss(net(x[1000:]), t[1000:]).item() / t[1000:].var().item():.4f}")
