import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(83)

x = torch.randn(3000, 2) * 1.5
y = ((x ** 2).sum(1) > 3).long() + ((x ** 2).sum(1) > 8).long()
x_train, y_train = x[:2400], y[:2400]
x_test, y_test = x[2400:], y[2400:]


def minibatches(size):
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), size):
        rows = order[start:start + size]
        yield x_train[rows], y_train[rows]


model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

batches = minibatches(30)
for epoch in range(6):
    losses = []
    for xb, yb in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / max(len(losses), 1):.6f}")

with torch.no_grad():
    correct = (model(x_test).argmax(1) == y_test).float().mean()
print(f"result: {correct.item():.4f}")
