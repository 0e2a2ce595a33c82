from collections import OrderedDict

import torch
from torch import nn

torch.set_default_dtype(torch.float32)
torch.manual_seed(77)


def plant(n):
    x = torch.rand(n, 6) * 2 - 1
    y = torch.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] ** 2 - 0.3 * x[:, 4]
    return x, y.unsqueeze(1)


def start():
    return nn.Sequential(OrderedDict(hidden1=nn.Linear(6, 40), act1=nn.SiLU()))


def grow(net):
    net.add_module("hidden2", nn.Linear(40, 40))
    net.add_module("act2", nn.SiLU())
    net.add_module("readout", nn.Linear(40, 1))
    return net


net = start()
optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-4)
net = grow(net)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.93)
x, y = plant(1500)
x_new, y_new = plant(400)

for epoch in range(20):
    net.train()
    total = 0.0
    for rows in torch.split(torch.randperm(len(x)), 50):
        optimizer.zero_grad()
        error = nn.functional.smooth_l1_loss(net(x[rows]), y[rows])
        error.backward()
        optimizer.step()
        total += error.item() * len(rows)
    schedule.step()
    print(f"{epoch:2d}  {total / len(x):.6f}")

net.eval()
with torch.no_grad():
    rest = (net(x_new) - y_new).square().mean() / y_new.var(unbiased=False)
print(f"result: {1 - rest.item():.4f}")
