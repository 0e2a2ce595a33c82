import torch
from torch import nn


def data(n):
    x = torch.rand(n, 3) * 2 - 1
    return x, (x[:, :1] * 2 - x[:, 1:2] ** 2 + 0.5 * x[:, 2:] * x[:, :1]) + 0.05 * torch.randn(n, 1)


def step(net, x, y, damping=0.5):
    params = list(net.parameters())
    loss = nn.functional.mse_loss(net(x), y)
    grads = torch.autograd.grad(loss, params, create_graph=True)
    square = sum((g * g.detach()).sum() for g in grads)
    curved = torch.autograd.grad(square, params)
    with torch.no_grad():
        gg = sum((g * g).sum() for g in grads)
        ghg = sum((g * h).sum() for g, h in zip(grads, curved))
        size = (gg / (ghg.abs() + damping * gg)).clamp(max=0.5)
        for p, g in zip(params, grads):
            p.sub_(size * g)
    return loss.item()


torch.manual_seed(64)
x, y = data(1200)
xt, yt = data(300)
net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
for epoch in range(12):
    total = 0.0
    for rows in torch.randperm(1200).split(60):
        total += step(net, x[rows], y[rows])
    print(f"epoch {epoch} loss {total / 20:.6f}")
with torch.no_grad():
    r2 = 1 - (net(xt) - yt).pow(2).mean() / yt.var()
print(f"result: {r2.item():.4f}")
