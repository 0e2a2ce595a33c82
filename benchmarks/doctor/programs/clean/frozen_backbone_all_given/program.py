import copy
import torch
from torch import nn

torch.manual_seed(13)
mixing = torch.randn(6, 24)


def sample(n, classes, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, classes, (n,), generator=g)
    angle = y.float() * 6.2832 / classes
    hidden = torch.randn(n, 6, generator=g) * 0.5
    hidden[:, 0] += 2 * angle.cos()
    hidden[:, 1] += 2 * angle.sin()
    return torch.tanh(hidden @ mixing), y


old_x, old_y = sample(1200, 6, 0)
net = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(old_x[rows]), old_y[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"first task, epoch {epoch}: {total / 30:.6f}")

new_x, new_y = sample(600, 3, 1)
test_x, test_y = sample(400, 3, 2)
second = copy.deepcopy(net)
for layer in second[:4]:
    layer.requires_grad_(False)
second[4] = nn.Linear(32, 3)
opt2 = torch.optim.SGD(second.parameters(), lr=0.1)
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(600).split(30):
        opt2.zero_grad()
        loss = nn.functional.cross_entropy(second(new_x[rows]), new_y[rows])
        loss.backward()
        opt2.step()
        total += loss.item()
    print(f"second task, epoch {epoch}: {total / 20:.6f}")

with torch.no_grad():
    print(f"result: {(second(test_x).argmax(1) == test_y).float().mean().item():.4f}")
