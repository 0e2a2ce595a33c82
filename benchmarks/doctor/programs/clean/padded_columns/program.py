import torch
from torch import nn

SENSORS, ROOM, LENGTH = 3, 6, 16


def machine(n, g):
    broken = torch.randint(0, 2, (n,), generator=g)
    t = torch.arange(LENGTH) / LENGTH
    x = torch.zeros(n, ROOM, LENGTH)
    shift = torch.rand(n, SENSORS, 1, generator=g) * 6.28
    x[:, :SENSORS] = torch.sin(6.28 * 2 * t + shift) + 0.4 * torch.randn(n, SENSORS, LENGTH, generator=g)
    x[:, 1] += broken[:, None] * 0.9 * torch.sin(6.28 * 6 * t)
    return x, broken.float()


def fit(net, x, y, epochs, lr):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(30):
            loss = loss_fn(net(x[rows]).squeeze(1), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(x):.6f}")


g = torch.Generator().manual_seed(106)
torch.manual_seed(106)
x, y = machine(1200, g)
xt, yt = machine(300, g)
net = nn.Sequential(nn.Flatten(), nn.Linear(ROOM * LENGTH, 32), nn.ReLU(), nn.Linear(32, 1))
fit(net, x, y, 6, 4e-3)
with torch.no_grad():
    print(f"result: {((net(xt).squeeze(1) > 0).float() == yt).float().mean().item():.4f}")
