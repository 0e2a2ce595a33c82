# %%
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset, DataLoader

# %%
torch.manual_seed(14)
corner = torch.randint(0, 2, (1800, 3))
spot = corner * 2.0 - 1 + 0.35 * torch.randn(1800, 3)
parity_free = corner[:, 0] * 2 + (corner[:, 1] | corner[:, 2])
dataset = TensorDataset(spot, parity_free)
train_part, test_part = torch.utils.data.random_split(dataset, [1500, 300])

# %%
class Gated(nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.lift = nn.Linear(3, units)
        self.read = nn.Linear(units, 4)

    def forward(self, x):
        u = self.lift(x)
        gate = torch.sigmoid(u)
        return self.read(gate)


net = Gated()
sum(p.numel() for p in net.parameters())

# %%
optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
train_loader = DataLoader(train_part, batch_size=50, shuffle=True)
test_loader = DataLoader(test_part, batch_size=300)

# %%
for epoch in range(6):
    epoch_loss = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(yb)
    print("epoch", epoch, "loss", round(epoch_loss / len(train_part), 6))

# %%
with torch.no_grad():
    hits = sum((net(xb).argmax(1) == yb).sum().item() for xb, yb in test_loader)
print(f"result: {hits / len(test_part):.4f}")
