import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)

GEARS = ["first", "second", "third", "neutral"]
LENGTH = 160


def record(gear, n):
    t = torch.arange(LENGTH) / LENGTH
    base = torch.tensor([9.0, 11.0, 13.0, 15.0])[gear] + 0.35 * torch.randn(n, 1)
    phase = 6.28 * torch.rand(n, 1)
    hum = torch.sin(6.28 * base * t + phase) + 0.5 * torch.sin(12.57 * base * t + 2 * phase)
    return (hum + 0.7 * torch.randn(n, LENGTH)).unsqueeze(1)


# one recording session per gear
train_x, train_y, test_x, test_y = [], [], [], []
for number, name in enumerate(GEARS):
    takes = record(number, 600)
    labels = torch.full((600,), number)
    train_x.append(takes[:480])
    train_y.append(labels[:480])
    test_x.append(takes[480:])
    test_y.append(labels[480:])

train_set = TensorDataset(torch.cat(train_x), torch.cat(train_y))
test_set = TensorDataset(torch.cat(test_x), torch.cat(test_y))
train_loader = DataLoader(train_set, batch_size=48)
test_loader = DataLoader(test_set, batch_size=120)

model = nn.Sequential(
    nn.Conv1d(1, 24, 15, stride=2, padding=7),
    nn.ReLU(),
    nn.Conv1d(24, 48, 9, padding=4),
    nn.ReLU(),
    nn.AdaptiveAvgPool1d(4),
    nn.Flatten(),
    nn.Linear(192, 64),
    nn.ReLU(),
    nn.Linear(64, len(GEARS)),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(10):
    model.train()
    running, seen = 0.0, 0
    for wave, gear in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(wave), gear)
        loss.backward()
        optimizer.step()
        running += loss.item() * gear.size(0)
        seen += gear.size(0)
    print("epoch %2d  train loss %.6f" % (epoch + 1, running / seen))

model.eval()
correct = 0
with torch.no_grad():
    for wave, gear in test_loader:
        correct += (model(wave).argmax(dim=1) == gear).sum().item()
print("result: %.4f" % (correct / len(test_set)))
