# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(101)
thickness = (0.002 + 0.004 * torch.rand(1500)).unsqueeze(1)
bend = 0.003 * torch.randn(1500, 3)
sheets = torch.cat([thickness, bend], dim=1)
breaks = (bend.norm(dim=1) * (1 + 60 * thickness.squeeze(1)) + 0.0006 * torch.randn(1500) > 0.006).long()

# %%
class PerMille(nn.Module):
    """The net wants numbers around one: thousandths of a metre."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, metres):
        return self.net(metres * 1000 / 3)


model = PerMille(nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
train = DataLoader(TensorDataset(sheets[:1200], breaks[:1200]), batch_size=40, shuffle=True)

# %%
for epoch in range(6):
    total = 0.0
    for x, y in train:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train):.6f}")

# %%
with torch.no_grad():
    guess = model(sheets[1200:]).argmax(1)
print(f"result: {(guess == breaks[1200:]).float().mean().item():.4f}")
