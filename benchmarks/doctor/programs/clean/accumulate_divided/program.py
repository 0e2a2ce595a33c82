import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
centers = torch.randn(5, 12) * 1.4
y = torch.randint(0, 5, (2400,))
X = centers[y] + torch.randn(2400, 12)
train_loader = DataLoader(TensorDataset(X[:1920], y[:1920]), batch_size=16, shuffle=True)
test_loader = DataLoader(TensorDataset(X[1920:], y[1920:]), batch_size=120)

model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
accumulation_steps = 4

for epoch in range(4):
    running = 0.0
    optimizer.zero_grad()
    for i, (inputs, labels) in enumerate(train_loader):
        loss = criterion(model(inputs), labels) / accumulation_steps
        loss.backward()
        running += loss.item() * accumulation_steps
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch + 1} loss {running / len(train_loader):.6f}")

model.eval()
hits = 0
with torch.no_grad():
    for inputs, labels in test_loader:
        hits += (model(inputs).argmax(dim=1) == labels).sum().item()
print(f"result: {hits / 480:.4f}")
