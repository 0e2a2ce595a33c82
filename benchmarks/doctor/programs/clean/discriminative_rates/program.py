import math
import torch
from torch import nn


def task(n, turn, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 4, (n,), generator=g)
    angle = 2 * math.pi * y / 4 + turn
    z = torch.stack([angle.cos(), angle.sin()], 1) * 2 + 0.6 * torch.randn(n, 2, generator=g)
    mix = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))
    return torch.tanh(z @ mix) + 0.1 * torch.randn(n, 12, generator=g), y


class Tuner:
    def __init__(self, net, groups):
        self.net = net
        self.opt = torch.optim.SGD([{"params": p, "lr": lr} for p, lr in groups], momentum=0.9)

    def fit(self, x, y, epochs):
        for epoch in range(epochs):
            total = 0.0
            for rows in torch.randperm(len(x)).split(30):
                loss = nn.functional.cross_entropy(self.net(x[rows]), y[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch} loss {total / len(x):.6f}")


torch.manual_seed(113)
net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4))
Tuner(net, [(net.parameters(), 0.05)]).fit(*task(1200, 0.0, 1), epochs=3)
groups = [(net[0].parameters(), 5e-5), (net[2].parameters(), 5e-3), (net[4].parameters(), 5e-2)]
Tuner(net, groups).fit(*task(900, 0.7, 2), epochs=4)
x, y = task(400, 0.7, 3)
with torch.no_grad():
    print(f"result: {(net(x).argmax(1) == y).float().mean().item():.4f}")
