import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def synthetic(n, seed):
    gen = torch.Generator().manual_seed(seed)
    base = torch.rand(9, 100, generator=torch.Generator().manual_seed(999))
    target = torch.randint(9, (n,), generator=gen)
    return base[target] + 0.6 * torch.randn(n, 100, generator=gen), target


def build_model():
    return nn.Sequential(nn.Linear(100, 32), nn.ReLU(), nn.Linear(32, 9))


def train_epoch(model, optimizer, loader):
    model.train()
    loss_total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        loss_total += loss.item() * y.size(0)
    return loss_total / len(loader.dataset)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(7)
loader = DataLoader(TensorDataset(*synthetic(1500, seed=1)), batch_size=30, shuffle=True)
x_test, y_test = synthetic(400, seed=2)

model = build_model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(6):
    loss = train_epoch(model, optimizer, loader)
    print(f"epoch {epoch} loss {loss:.6f} accuracy {accuracy(model, x_test, y_test):.4f}")
print(f"result: {accuracy(model, x_test, y_test):.4f}")
