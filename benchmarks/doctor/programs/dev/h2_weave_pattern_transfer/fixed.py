# %%
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)

# %%
def weave(kinds, n):
    """Cloth patches: every kind has its own thread angle and thread distance."""
    kind = torch.randint(0, len(kinds), (n,))
    table = torch.tensor(kinds)
    angle, step = table[kind, 0].view(-1, 1, 1), table[kind, 1].view(-1, 1, 1)
    angle = angle + 0.08 * torch.randn(n, 1, 1)
    u = torch.linspace(-1, 1, 18).view(1, 1, -1)
    v = torch.linspace(-1, 1, 18).view(1, -1, 1)
    wave = torch.cos(step * (u * torch.cos(angle) + v * torch.sin(angle)) + 2 * math.pi * torch.rand(n, 1, 1))
    return (wave + 0.7 * torch.randn(n, 18, 18)).unsqueeze(1), kind


old_kinds = [(0.0, 6.0), (0.6, 6.0), (1.2, 6.0), (0.0, 12.0), (0.6, 12.0), (1.2, 12.0)]
new_kinds = [(0.3, 9.0), (0.9, 9.0), (1.5, 9.0)]

# %%
class WeaveNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 10, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(10, 20, 3, stride=2, padding=1), nn.ReLU(),
            nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        )
        self.head = nn.Linear(80, classes)

    def forward(self, x):
        return self.head(self.body(x))


def train(net, opt, loader, epochs, tag):
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for xb, yb in loader:
            loss = F.cross_entropy(net(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"{tag} {epoch}: {total / len(loader):.6f}")

# %%
# first the big collection
net = WeaveNet(len(old_kinds))
big = DataLoader(TensorDataset(*weave(old_kinds, 1800)), batch_size=60, shuffle=True)
train(net, torch.optim.Adam(net.parameters(), lr=4e-3), big, 3, "big")

# %%
# then the three new kinds, with a head of their own
small = DataLoader(TensorDataset(*weave(new_kinds, 900)), batch_size=30, shuffle=True)
net.head = nn.Linear(80, len(new_kinds))
fine_opt = torch.optim.Adam(net.parameters(), lr=2e-3)
train(net, fine_opt, small, 5, "new")

# %%
x_test, y_test = weave(new_kinds, 600)
net.eval()
with torch.no_grad():
    acc = (net(x_test).argmax(1) == y_test).double().mean().item()
print(f"result: {acc:.4f}")
