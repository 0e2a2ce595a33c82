import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)

# 12 blood values, 3 diagnoses
weights = torch.randn(12, 3)
values = torch.randn(1600, 12)
diagnosis = (values @ weights + 0.5 * torch.randn(1600, 3)).argmax(1)

train_loader = DataLoader(TensorDataset(values[:1280], diagnosis[:1280]), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset(values[1280:], diagnosis[1280:]), batch_size=64)


class Diagnoser(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(12, 64)
        self.layer2 = nn.Linear(64, 32)
        self.layer3 = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.layer1(x))
        x = torch.relu(self.layer2(x))
        return self.layer3(x)


model = Diagnoser()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)

for epoch in range(6):
    losses = 0.0
    for v, d in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(v), d)
        loss.backward()
        optimizer.step()
        losses += loss.item() * v.size(0)
    print("epoch", epoch, "loss", format(losses / 1280, ".6f"))

n_correct = 0
with torch.no_grad():
    for v, d in test_loader:
        n_correct += (model(v).argmax(1) == d).sum().item()
print("result:", format(n_correct / 320, ".4f"))
