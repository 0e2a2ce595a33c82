# %%
import torch
from torch import nn, optim
from torch.utils.data import TensorDataset, DataLoader

torch.manual_seed(77)

# %%
# 3 stages of sleep, 30 band powers with a slow drift per night
def night(stage_count, per_night, seed):
    g = torch.Generator().manual_seed(seed)
    stage = torch.randint(0, stage_count, (per_night,), generator=g)
    pattern = torch.stack([torch.sin(torch.arange(30.) / (2 + k)) for k in range(stage_count)])
    x = 0.8 * pattern[stage] + 0.9 * torch.randn(per_night, 30, generator=g)
    x = x + 0.5 * torch.randn(1, 30, generator=g)
    return x, stage

nights = [night(3, 150, seed) for seed in range(16)]
x = torch.cat([n[0] for n in nights])
y = torch.cat([n[1] for n in nights])
train_ds = TensorDataset(x[:1800], y[:1800])
test_ds = TensorDataset(x[1800:], y[1800:])

# %%
model = nn.Sequential(
    nn.Linear(30, 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(128, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, 3),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = optim.RMSprop(model.parameters(), lr=5e-4)

# %%
def train_epoch(loader):
    model.train()
    running = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        running += loss.item()
    return running / len(loader)

loader = DataLoader(train_ds, batch_size=60, shuffle=True)
for epoch in range(10):
    print(f"Epoch {epoch+1:02}: train loss = {train_epoch(loader):.6f}")

# %%
model.eval
correct, seen = 0, 0
with torch.no_grad():
    for xb, yb in DataLoader(test_ds, batch_size=50):
        scores = model(xb)
        correct += (scores.max(1).indices == yb).sum().item()
        seen += len(yb)
print(f"result: {correct / seen:.4f}")
