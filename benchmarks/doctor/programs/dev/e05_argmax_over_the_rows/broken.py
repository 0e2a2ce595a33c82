import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(28)

# ten digits of a pocket calculator: seven bars, on or off, and a noisy reading of each three times
BARS = torch.tensor([
    [1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0],
    [1, 1, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1],
], dtype=torch.float32)

digits = torch.randint(0, 10, (2000,))
readings = BARS[digits].repeat(1, 3) + 0.45 * torch.randn(2000, 21)

train_loader = DataLoader(TensorDataset(readings[:1500], digits[:1500]), batch_size=30, shuffle=True)
test_loader = DataLoader(TensorDataset(readings[1500:], digits[1500:]), batch_size=10)

model = nn.Sequential(nn.Linear(21, 50), nn.ReLU(), nn.Linear(50, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(5):
    model.train()
    running_loss = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"epoch {epoch + 1} loss {running_loss / len(train_loader):.6f}")

model.eval()
correct = 0
total = 0
with torch.no_grad():
    for inputs, targets in test_loader:
        outputs = model(inputs)
        _, predicted = torch.max(outputs, 0)
        correct += (predicted == targets).sum().item()
        total += targets.size(0)
print(f"result: {correct / total:.4f}")
