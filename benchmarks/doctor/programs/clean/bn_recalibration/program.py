import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


@torch.no_grad()
def recalibrate(model, loader):
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d):
            m.reset_running_stats()
            m.momentum = None
    model.train()
    for x, _ in loader:
        model(x)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    ok, n = 0, 0
    for x, y in loader:
        ok += (model(x).argmax(dim=1) == y).sum().item()
        n += len(y)
    return ok / n


torch.manual_seed(18)
y = torch.randint(0, 7, (2100,))
x = (torch.randn(7, 14) * 1.3)[y] + torch.randn(2100, 14)
train_loader = DataLoader(TensorDataset(x[:1680], y[:1680]), batch_size=56, shuffle=True)
test_loader = DataLoader(TensorDataset(x[1680:], y[1680:]), batch_size=140)

model = nn.Sequential(nn.Linear(14, 48), nn.BatchNorm1d(48, momentum=0.01), nn.ReLU(), nn.Linear(48, 7))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(4):
    model.train()
    losses = torch.zeros(len(train_loader))
    for i, (xb, yb) in enumerate(train_loader):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
        losses[i] = loss.item()
    print(f"epoch {epoch} loss {losses.mean():.6f}")
recalibrate(model, train_loader)
print(f"result: {evaluate(model, test_loader):.4f}")
