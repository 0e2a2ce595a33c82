import torch
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.enter = nn.Linear(width, width)
        self.leave = nn.Linear(width, width)

    def forward(self, x):
        out = torch.tanh(self.enter(x))
        out += self.leave(out)
        return out


class HousePrices(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 24)
        self.blocks = nn.Sequential(ResidualBlock(24), ResidualBlock(24))
        self.price = nn.Linear(24, 1)

    def forward(self, x):
        return self.price(self.blocks(self.stem(x))).squeeze(-1)


torch.manual_seed(30)
houses = torch.rand(1200, 6) * 2 - 1
price = 2 * houses[:, 0] + houses[:, 1] * houses[:, 2] - houses[:, 3].abs() + 0.1 * torch.randn(1200)

model = HousePrices()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(houses[:1000], price[:1000]), batch_size=32, shuffle=True
)
for epoch in range(6):
    total = 0.0
    for features, target in loader:
        loss = nn.functional.smooth_l1_loss(model(features), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Epoch {epoch}: {total / len(loader):.6f}")

with torch.no_grad():
    error = (model(houses[1000:]) - price[1000:]).pow(2).mean()
    print(f"result: {1 - (error / price[1000:].var()).item():.4f}")
