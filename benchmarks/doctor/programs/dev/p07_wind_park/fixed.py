import math

import torch
import torch.nn as nn

torch.manual_seed(83)


def park(n):
    """Wind speed (m/s), direction (rad), air density -> power of one turbine in MW."""
    speed = torch.distributions.Weibull(9.0, 2.1).sample((n,))
    turn = torch.rand(n) * 2 * math.pi
    density = 1.2 + 0.06 * torch.randn(n)
    curve = 3.0 * torch.sigmoid((speed - 8.5) * 0.9) * (speed < 24)
    wake = 1 - 0.25 * torch.exp(-((turn - 2.0) / 0.4) ** 2)
    power = curve * wake * density / 1.2 + 0.05 * torch.randn(n)
    return torch.stack([speed, turn.sin(), turn.cos(), density], dim=1), power.unsqueeze(1)


x_train, y_train = park(4000)
x_val, y_val = park(800)
x_test, y_test = park(1000)
centre, spread = x_train.mean(0), x_train.std(0)
x_train, x_val, x_test = [(x - centre) / spread for x in (x_train, x_val, x_test)]

net = nn.Sequential(nn.Linear(4, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
huber = nn.HuberLoss(delta=0.5)


@torch.no_grad()
def mae(model, x, y):
    model.eval()
    return (model(x) - y).abs().mean().item()


for epoch in range(15):
    net.train()
    order = torch.randperm(len(x_train))
    for k in range(0, len(order), 80):
        rows = order[k : k + 80]
        error = huber(net(x_train[rows]), y_train[rows])
        opt.zero_grad()
        error.backward()
        opt.step()
    val_mae = mae(net, x_val, y_val)
    print("epoch", epoch, "validation error", round(val_mae, 4), "MW")

print(f"test error {mae(net, x_test, y_test):.4f} MW")
