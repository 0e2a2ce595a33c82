import torch
from torch import nn

torch.manual_seed(27)
grid = torch.arange(7.0)


def blobs(n):
    y = torch.randint(0, 4, (n,))
    cy = torch.where(y < 2, 1.5, 4.5) + 0.5 * torch.randn(n)
    cx = torch.where(y % 2 == 0, 1.5, 4.5) + 0.5 * torch.randn(n)
    d = (grid[None, :, None] - cy[:, None, None]) ** 2 + (grid[None, None, :] - cx[:, None, None]) ** 2
    return torch.exp(-d / 2)[:, None] + 0.25 * torch.randn(n, 1, 7, 7), y


x, y = blobs(500)
xt, yt = blobs(300)
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.Flatten(), nn.Linear(200, 4))
opt = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9)
for epoch in range(3):
    total = 0.0
    for rows in torch.randperm(500).split(2):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 250:.6f}")
with torch.no_grad():
    print(f"result: {(net(xt).argmax(1) == yt).float().mean().item():.4f}")
