# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

gen = torch.Generator().manual_seed(99)
torch.manual_seed(99)

# %%
# gestures: three accelerometer axes, 20 readings, six kinds of movement
n, kinds = 1800, 6
t = torch.linspace(0, 1, 20)
label = torch.randint(0, kinds, (n,), generator=gen)
speed = 1.0 + label.float() % 3
axis = (label >= 3).long()
signal = 0.6 * torch.randn(n, 3, 20, generator=gen)
phase = torch.rand(n, 1, generator=gen)
wave = torch.sin(2 * torch.pi * (speed[:, None] * t + phase))
signal[torch.arange(n), axis] += wave

# %%
full = TensorDataset(signal, label)
train_part, test_part = random_split(full, [1400, 400], generator=gen)
train_loader = DataLoader(train_part, batch_size=50, shuffle=True)
test_loader = DataLoader(test_part, batch_size=200)

# %%
model = nn.Sequential(
    nn.Conv1d(3, 24, 5, padding=2), nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(),
    nn.Flatten(),
    nn.Linear(320, kinds),
)
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=0.5)

# %%
for epoch in range(8):
    model.train()
    history = []
    for x, y in train_loader:
        opt.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        opt.step()
        history.append(loss.item())
    print(f"epoch {epoch} mean loss {sum(history) / len(history):.4f}")

# %%
model.eval()
correct = 0
with torch.no_grad():
    for x, y in test_loader:
        correct += (model(x).argmax(1) == y).sum().item()
print(f"test accuracy {correct / len(test_part):.4f}")
