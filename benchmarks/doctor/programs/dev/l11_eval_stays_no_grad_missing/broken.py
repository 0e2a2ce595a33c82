import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2024)

# twelve measurements, four kinds of machine
prototype = torch.randn(4, 12)
kind = torch.randint(4, (2000,))
reading = prototype[kind] + torch.randn(2000, 12)
reading = torch.cat([reading, reading ** 2 / 4], dim=1)
train_dl = DataLoader(TensorDataset(reading[:1500], kind[:1500]), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(reading[1500:], kind[1500:]), batch_size=50)

model = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 4))
optimizer = optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(4):
    train_loss = 0.0
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()

    model.eval()
    hits, test_loss = 0, 0.0
    for xb, yb in test_dl:
        out = model(xb)
        test_loss += criterion(out, yb).item()
        hits += (out.argmax(1) == yb).sum().item()
    print(f"{epoch} train {train_loss / len(train_dl):.6f} test {test_loss / len(test_dl):.6f}")

print(f"result: {hits / len(test_dl.dataset):.4f}")
