import math
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def two_moons(n):
    angle = torch.rand(n) * math.pi
    y = torch.randint(0, 2, (n,))
    x = torch.stack([angle.cos(), angle.sin()], 1)
    x[y == 1] = torch.stack([1 - angle.cos(), 0.4 - angle.sin()], 1)[y == 1]
    return TensorDataset(x + 0.12 * torch.randn(n, 2), y.float())


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    good = n = 0
    for x, y in loader:
        good += ((torch.sigmoid(model(x)).flatten() > 0.5) == (y > 0.5)).sum().item()
        n += y.numel()
    model.train()
    return good / n


torch.manual_seed(10)
train_loader = DataLoader(two_moons(1200), batch_size=30, shuffle=True)
test_loader = DataLoader(two_moons(400), batch_size=200)
model = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    total = 0.0
    for x, y in train_loader:
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).flatten(), y)
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train_loader):.6f} train accuracy {accuracy(model, train_loader):.4f} "
          f"test accuracy {accuracy(model, test_loader):.4f}")
print(f"result: {accuracy(model, test_loader):.4f}")
