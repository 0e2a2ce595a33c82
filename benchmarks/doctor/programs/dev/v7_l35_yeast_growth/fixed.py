import numpy as np
import torch
from torch import nn

RATE, START = 0.9, 0.05


def growth(t):
    return 1.0 / (1.0 + (1.0 / START - 1.0) * np.exp(-RATE * t))


def measure(n=30, until=4.0, seed=0):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, until, n))
    u = growth(t) + rng.normal(0, 0.01, n)
    return torch.tensor(t, dtype=torch.float32), torch.tensor(u, dtype=torch.float32)


class Curve(nn.Module):
    def __init__(self, horizon, width=48):
        super().__init__()
        self.horizon = horizon
        self.body = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
                                  nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, t):
        scaled = 2.0 * t / self.horizon - 1.0
        return self.body(scaled.unsqueeze(1)).squeeze(1)


def ode_term(u, t):
    du = torch.gradient(u, spacing=(t,))[0]
    return torch.mean((du - RATE * u * (1.0 - u)) ** 2)


def train(net, t_data, u_data, grid, steps=1500, weight=0.5):
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    for step in range(steps):
        data = torch.mean((net(t_data) - u_data) ** 2)
        physics = ode_term(net(grid), grid)
        loss = data + weight * physics
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        if (step + 1) % 300 == 0:
            print(f"{step + 1:5d}  data {data.item():.5f}  physics {physics.item():.5f}")


def check(net, horizon):
    t = np.linspace(4.0, horizon, 97)
    net.eval()
    with torch.no_grad():
        u = net(torch.tensor(t, dtype=torch.float32)).numpy()
    return float(np.sqrt(np.mean((u - growth(t)) ** 2)))


def main(horizon=10.0):
    torch.manual_seed(0)
    t_data, u_data = measure()
    grid = torch.linspace(0.0, horizon, 201)
    net = Curve(horizon)
    net.train()
    train(net, t_data, u_data, grid)
    print(f"result: {check(net, horizon):.4f}")


main()
