# %%
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(52)


# %%
def wings(prototypes, count):
    """Ridges of wings: rows of 64 numbers near one of the prototypes."""
    kind = torch.randint(0, len(prototypes), (count,))
    variant = torch.randint(0, prototypes.shape[1], (count,))
    return prototypes[kind, variant] + 0.9 * torch.randn(count, 64), kind


common_moths = torch.randn(8, 2, 64) * 0.6
rare_moths = 0.5 * common_moths[:3] + torch.randn(3, 2, 64) * 0.4

x_common, y_common = wings(common_moths, 2000)
x_rare, y_rare = wings(rare_moths, 1200)
x_new, y_new = wings(rare_moths, 600)


# %%
class WingNet(nn.Module):
    def __init__(self, families):
        super().__init__()
        self.features = nn.ModuleList([nn.Linear(64, 320), nn.Linear(320, 320)])
        self.head = nn.Linear(320, families)

    def forward(self, x):
        for layer in self.features:
            x = F.leaky_relu(layer(x), 0.1)
        return self.head(x)


def study(net, optimizer, x, y, epochs):
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(60):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"{epoch + 1}: {total / len(x):.6f}")


# %%
# first the common families, of which there are many pictures
net = WingNet(8)
study(net, torch.optim.Adam(net.parameters(), lr=5e-4), x_common, y_common, epochs=6)

# %%
# then the three rare families
optimizer = torch.optim.Adam(net.parameters(), lr=3e-4)
net.head = nn.Linear(320, 3)

# %%
study(net, optimizer, x_rare, y_rare, epochs=18)

# %%
net.eval()
with torch.no_grad():
    hits = (net(x_new).argmax(dim=1) == y_new).sum().item()
print(f"result: {hits / len(y_new):.4f}")
