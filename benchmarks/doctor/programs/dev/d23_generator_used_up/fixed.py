import torch
from torch import nn


def spirals(n, seed):
    g = torch.Generator().manual_seed(seed)
    arm = torch.randint(0, 2, (n,), generator=g)
    r = torch.rand(n, generator=g).sqrt() * 2.5
    angle = 2.2 * r + arm * torch.pi
    points = torch.stack([r * angle.cos(), r * angle.sin()], 1) + 0.08 * torch.randn(n, 2, generator=g)
    return points, arm


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def train(model, x, y, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        loader = batches(x, y, 20)
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(xb)
        print(f"epoch {epoch:>2}  loss {total / len(x):.6f}")


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(8)
model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
train(model, *spirals(2000, 1), epochs=10, lr=0.01)
print(f"result: {accuracy(model, *spirals(400, 2)):.4f}")
