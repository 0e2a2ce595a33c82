import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(33)


def make_dataset(n=1500, d=20):
    x = torch.randn(n, d)
    logit = x[:, 0] * x[:, 1] + x[:, 2] + 0.3 * torch.randn(n)
    return TensorDataset(x, (logit > 0).long())


def loss_and_accuracy(model, loader, loss_fn):
    model.eval()
    loss, hits, n = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            loss += loss_fn(out, y).item() * len(y)
            hits += (out.argmax(1) == y).sum().item()
            n += len(y)
    return loss / n, hits / n


train_set, val_set, test_set = random_split(make_dataset(), [800, 300, 400])
train_loader = DataLoader(train_set, batch_size=25, shuffle=True)
val_loader = DataLoader(val_set, batch_size=150)
test_loader = DataLoader(test_set, batch_size=200)

model = nn.Sequential(nn.Linear(20, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()
best_loss = float("inf")
best_state = None
for epoch in range(12):
    model.train()
    train_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    val_loss, val_acc = loss_and_accuracy(model, val_loader, loss_fn)
    if val_loss < best_loss:
        best_loss = val_loss
        best_state = model.state_dict()
    print(f"epoch {epoch} train {train_loss / len(train_loader):.6f} val {val_loss:.6f} {val_acc:.4f}")

model.load_state_dict(best_state)
_, test_acc = loss_and_accuracy(model, test_loader, loss_fn)
print(f"result: {test_acc:.4f}")
