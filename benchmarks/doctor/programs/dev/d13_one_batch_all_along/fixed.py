import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(123)

# four corners of a square, each with its own colour, plus six columns of noise
N = 2000
corner = torch.randint(0, 4, (N,))
xy = torch.stack([(corner % 2) * 2.0 - 1, (corner // 2) * 2.0 - 1], dim=1)
data = torch.cat([xy + 0.45 * torch.randn(N, 2), torch.randn(N, 18)], dim=1)
target = torch.tensor([0, 1, 2, 0])[corner]

train_loader = DataLoader(TensorDataset(data[:1600], target[:1600]), batch_size=32)
test_loader = DataLoader(TensorDataset(data[1600:], target[1600:]), batch_size=100)

net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

for epoch in range(4):
    total = 0.0
    batches = iter(train_loader)
    for step in range(len(train_loader)):
        inputs, labels = next(batches)
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = nn.functional.cross_entropy(outputs, labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(train_loader):.6f}")

net.eval()
good, count = 0, 0
with torch.no_grad():
    for inputs, labels in test_loader:
        good += (net(inputs).argmax(1) == labels).sum().item()
        count += labels.numel()
print(f"result: {good / count:.4f}")
