import torch
import torch.nn as nn

torch.manual_seed(3)

n_per_class, n_classes = 320, 5
centers = torch.randn(n_classes, 12) * 1.6
X = torch.cat([c + torch.randn(n_per_class, 12) for c in centers])
y = torch.arange(n_classes).repeat_interleave(n_per_class)

# shuffle
order = torch.randperm(len(y))
X, y = X[order], y[order]

X_train, y_train = X[:1200], y[:1200]
X_test, y_test = X[1200:], y[1200:]

model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, n_classes))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

batch_size = 40
for epoch in range(4):
    idx = torch.randperm(len(X_train))
    total = 0.0
    for start in range(0, len(X_train), batch_size):
        rows = idx[start:start + batch_size]
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch + 1}: loss {total / len(X_train):.6f}")

model.eval()
with torch.no_grad():
    acc = (model(X_test).argmax(1) == y_test).float().mean().item()
print(f"result: {acc:.4f}")
