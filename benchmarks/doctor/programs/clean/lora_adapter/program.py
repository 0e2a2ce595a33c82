import math
import torch
from torch import nn, optim


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 4, alpha: float = 8.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T) @ self.B.T


def data(n, turn, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 5, (n,), generator=g)
    angle = 2 * math.pi * y / 5 + turn
    z = torch.stack([2.5 * angle.cos(), 2.5 * angle.sin()], 1) + 0.6 * torch.randn(n, 2, generator=g)
    return torch.cat([z, 0.5 * torch.randn(n, 6, generator=g)], 1), y


def fit(net, x, y, lr, epochs):
    opt = optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=lr)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(x):.6f}")


torch.manual_seed(33)
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
fit(net, *data(1200, 0.0, 1), lr=0.01, epochs=4)

for i in (0, 2, 4):
    net[i] = LoRALinear(net[i])
fit(net, *data(800, 0.6, 2), lr=0.01, epochs=5)

x, y = data(400, 0.6, 3)
with torch.no_grad():
    print(f"result: {(net(x).argmax(1) == y).float().mean().item():.4f}")
