"""Short right programs that the rules' own programs are made from, by changing lines."""

CLASSES = """\
import torch
from torch import nn

torch.manual_seed(0)
centres = 2 * torch.randn(4, 8)
y = torch.arange(4).repeat(150)
x = centres[y] + torch.randn(600, 8)
train_x, train_y, test_x, test_y = x[:480], y[:480], x[480:], y[480:]
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(4):
    model.train()
    for rows in torch.randperm(480).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean()
print(f"test accuracy {accuracy:.3f}")
"""
"""Four clouds of points, learned in slices, tested on others."""

LOADERS = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
centres = 2 * torch.randn(4, 8)
y = torch.arange(4).repeat_interleave(150)
x = centres[y] + torch.randn(600, 8)
test_y = 3 * torch.arange(160) % 4
test_x = centres[test_y] + torch.randn(160, 8)
train_loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=40)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(3):
    model.train()
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for inputs, labels in test_loader:
            outputs = model(inputs)
            correct += (outputs.argmax(1) == labels).sum().item()
            total += len(labels)
    print(f"epoch {epoch}: test accuracy {correct / total:.3f}")
"""
"""The same from a loader, tested after each epoch."""

BINARY = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(600, 6)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).float()
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(4):
    for rows in torch.randperm(480).split(32):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]).squeeze(1), y[rows])
        loss.backward()
        optimizer.step()
with torch.no_grad():
    logits = model(x[480:]).squeeze(1)
    predicted = (logits > 0).float()
    accuracy = (predicted == y[480:]).float().mean()
print(f"test accuracy {accuracy:.3f}")
"""
"""Two classes and one logit."""

NUMBERS = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(600, 6)
y = x[:, 0] - 2 * x[:, 1] * x[:, 2] + 0.1 * torch.randn(600)
train_loader = DataLoader(TensorDataset(x[:480], y[:480]), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(4):
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
with torch.no_grad():
    error = nn.functional.mse_loss(model(x[480:]), y[480:])
print(f"test error {error:.3f}")
"""
"""A number is learned."""
