import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def rings(n):
    radius = torch.randint(0, 3, (n,))
    angle = torch.rand(n) * 6.2832
    r = radius + 1 + 0.15 * torch.randn(n)
    return torch.stack([r * torch.cos(angle), r * torch.sin(angle)], 1), radius


def run_epoch(model, loader, loss_fn, optimizer):
    model.train()
    running = 0.0
    for points, ring in loader:
        prediction = model(points)
        loss = loss_fn(prediction, ring)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        running += loss.item()
    return running / len(loader)


def accuracy(model, loader):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for points, ring in loader:
            hits += (model(points).argmax(1) == ring).sum().item()
            total += ring.numel()
    return hits / total


torch.manual_seed(21)
points, ring = rings(2000)
train_set, test_set = random_split(TensorDataset(points, ring), [1600, 400])
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
test_loader = DataLoader(test_set, batch_size=200)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    loss = run_epoch(model, train_loader, nn.CrossEntropyLoss(), optimizer)
    print(f"epoch {epoch}  train loss {loss:.6f}")
print(f"result: {accuracy(model, test_loader):.4f}")
