import torch
from torch import nn


class Ensemble(nn.Module):
    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        return torch.stack([m(x).softmax(dim=1) for m in self.members]).mean(0)


def member():
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))


def train_member(net, x, y, epochs=3):
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"  epoch {epoch} loss {total / len(x):.6f}")
    return net


torch.manual_seed(86)
x = torch.randn(1300, 6)
score = torch.stack([x[:, 0] + x[:, 1], x[:, 2] * 1.5, x[:, 3].abs() * 2 - 1], 1)
y = (score + 0.3 * torch.randn(1300, 3)).argmax(1)
nets = []
for number in range(5):
    print(f"net {number}")
    bag = torch.randint(0, 1000, (1000,))
    nets.append(train_member(member(), x[bag], y[bag]))
ensemble = Ensemble(nets).eval()
with torch.no_grad():
    print(f"result: {(ensemble(x[1000:]).argmax(1) == y[1000:]).float().mean().item():.4f}")
