import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.a = nn.Linear(width, width)
        self.b = nn.Linear(width, width)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)

    def forward(self, x):
        return x + self.b(torch.relu(self.a(self.norm(x))))


class ResNet(nn.Module):
    def __init__(self, width=40, depth=3):
        super().__init__()
        self.stem = nn.Linear(2, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


torch.manual_seed(20)
spot = torch.rand(1800, 2) * 4 - 2
kind = (spot[:, 0].floor() + spot[:, 1].floor() * 2).long() % 4
x, y, xt, yt = spot[:1400], kind[:1400], spot[1400:], kind[1400:]
net = ResNet()
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(1400).split(70):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"{epoch}: {total / 20:.6f}")
with torch.no_grad():
    print(f"result: {net(xt).argmax(1).eq(yt).float().mean().item():.4f}")
