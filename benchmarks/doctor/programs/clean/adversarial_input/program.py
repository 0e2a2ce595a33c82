import torch
from torch import nn
import torch.nn.functional as F


def make(n):
    y = torch.randint(0, 5, (n,))
    x = PROTOTYPES[y] + 0.5 * torch.randn(n, 36)
    return x, y


def train(net, x, y, epochs=4):
    opt = torch.optim.Adam(net.parameters(), lr=0.005)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(x):.6f}")


def attack(net, x, y, steps=30):
    for p in net.parameters():
        p.requires_grad_(False)
    delta = torch.zeros_like(x, requires_grad=True)
    opt = torch.optim.Adam([delta], lr=0.05)
    for step in range(steps):
        loss = -F.cross_entropy(net(x + delta), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            delta.clamp_(-0.6, 0.6)
    print(f"attack loss {loss.item():.6f}")
    return delta.detach()


torch.manual_seed(36)
PROTOTYPES = 0.6 * torch.randn(5, 36)
x, y = make(1500)
xt, yt = make(300)
net = nn.Sequential(nn.Linear(36, 48), nn.ReLU(), nn.Linear(48, 5))
train(net, x, y)
delta = attack(net, xt, yt)
with torch.no_grad():
    plain = (net(xt).argmax(1) == yt).float().mean().item()
    fooled = (net(xt + delta).argmax(1) != yt).float().mean().item()
print(f"accuracy without attack {plain:.4f}")
print(f"result: {fooled:.4f}")
