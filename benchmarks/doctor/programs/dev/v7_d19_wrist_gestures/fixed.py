# %%
import math
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(7)
GESTURES = ["swipe left", "swipe right", "wheel clockwise", "wheel back", "tap", "rest"]
# %%
def record(kind):
    t = torch.linspace(0, 1, 64)
    start = 0.15 * torch.rand(1)
    phase = 2 * math.pi * (t - start) * (0.9 + 0.2 * torch.rand(1))
    window = torch.exp(-((t - 0.5) / 0.3) ** 2)
    zero = torch.zeros(64)
    x, y, z = {
        0: (torch.sin(phase) * window, zero, 0.3 * window),
        1: (-torch.sin(phase) * window, zero, 0.3 * window),
        2: (torch.sin(phase), torch.cos(phase), zero),
        3: (-torch.sin(phase), torch.cos(phase), zero),
        4: (zero, zero, torch.exp(-((t - 0.3 - 0.4 * torch.rand(1)) / 0.05) ** 2)),
        5: (zero, zero, zero),
    }[kind]
    return torch.stack([x, y, z]) + 0.25 * torch.randn(3, 64)

def collect(n):
    labels = torch.randint(0, 6, (n,))
    return torch.stack([record(int(k)) for k in labels]), labels

train_x, train_y = collect(1200)
test_x, test_y = collect(600)
center, spread = train_x.mean((0, 2), keepdim=True), train_x.std((0, 2), keepdim=True)
train_x, test_x = (train_x - center) / spread, (test_x - center) / spread
# %%
class Gestures(Dataset):
    def __init__(self, x, y, augment=False):
        self.x, self.y, self.augment = x, y, augment

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.x[i]
        if self.augment:
            x = x * (0.8 + 0.4 * torch.rand(1)) + 0.1 * torch.randn_like(x)
            x = torch.roll(x, int(torch.randint(-4, 5, (1,))), dims=-1)
        return x, self.y[i]

train_loader = DataLoader(Gestures(train_x, train_y, augment=True), batch_size=40, shuffle=True)
test_loader = DataLoader(Gestures(test_x, test_y), batch_size=100)
# %%
model = nn.Sequential(
    nn.Conv1d(3, 32, 7, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(32, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(48, 48, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(4),
    nn.Flatten(), nn.Linear(192, 6))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
# %%
for epoch in range(10):
    model.train()
    total = 0.0
    for x, y in train_loader:
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    print(f"epoch {epoch + 1}: {total / len(train_y):.4f}")
# %%
model.eval()
hits = 0
with torch.no_grad():
    for x, y in test_loader:
        hits += (model(x).argmax(1) == y).sum().item()
print(f"result: {hits / len(test_y):.4f}")
