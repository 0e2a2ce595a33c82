import torch
from torch import nn

torch.manual_seed(0)
c = torch.randn(4, 12) * 1.5
y = torch.randint(4, (1600,))
x = c[y] + torch.randn(1600, 12)


def new():
    return nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))


def train(make):
    net = make()
    opt = torch.optim.Adam(net.parameters(), 2e-3)
    for epoch in range(5):
        for rows in torch.randperm(1200).split(40):
            opt.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            opt.step()
    with torch.no_grad():
        print("train", (net(x[:1200]).argmax(1) == y[:1200]).float().mean().item())
    return net


def test(net):
    net.eval()
    with torch.no_grad():
        return (net(x[1200:]).argmax(1) == y[1200:]).float().mean().item()


model = new()
train(new)
print(f"result: {test(model):.4f}")
