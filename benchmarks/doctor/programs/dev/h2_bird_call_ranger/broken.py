import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(64)

# 5 birds: a rising or falling whistle, a trill, a flat tone, a pair of clicks
count = 2200
bird = torch.randint(0, 5, (count,))
t = torch.linspace(0, 1, 80).expand(count, 80)
start = 6 + 2 * torch.rand(count, 1)
calls = torch.stack([
    torch.sin(6.28 * (start * t + 5 * t ** 2)),
    torch.sin(6.28 * (start * t + 5 * (1 - t) ** 2)),
    torch.sin(6.28 * start * t) * torch.sin(6.28 * 3 * t),
    torch.sin(6.28 * start * t),
    torch.exp(-((t - 0.3) * 25) ** 2) + torch.exp(-((t - 0.6) * 25) ** 2),
])[bird, torch.arange(count)]
calls = (calls + 0.9 * torch.randn(count, 80)).unsqueeze(1)

train_set, test_set = random_split(TensorDataset(calls, bird), [1800, 400])
train_loader = DataLoader(train_set, batch_size=45, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1)

model = nn.Sequential(
    nn.Conv1d(1, 20, 9), nn.Hardswish(), nn.MaxPool1d(3),
    nn.Conv1d(20, 40, 5), nn.Hardswish(), nn.MaxPool1d(2),
    nn.Flatten(), nn.Linear(400, 5),
)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)

for epoch in range(6):
    model.train()
    mean = torch.zeros(())
    for sound, label in train_loader:
        loss = loss_fn(model(sound), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean += loss.detach() * len(label) / len(train_set)
    print(f"[{epoch}] loss {mean.item():.6f}")

# one recording after the other, as the ranger's device hears them
model.eval()
correct = 0
with torch.no_grad():
    for sound, label in test_loader:
        scores = model(sound)
        predicted = torch.argmax(scores, dim=0)
        correct += (predicted == label).sum().item()
print(f"result: {correct / len(test_set):.4f}")
