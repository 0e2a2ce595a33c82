# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(44)
templates = torch.rand(7, 49)
target = torch.randint(7, (1750,))
pixels = (templates[target] + 0.35 * torch.randn(1750, 49)).clamp(0, 1)
train_dl = DataLoader(TensorDataset(pixels[:1400], target[:1400]), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(pixels[1400:], target[1400:]), batch_size=70)

# %%
# a first look at one batch
x, y = next(iter(train_dl))
print(x.shape, y[:10].tolist())

# %%
model = nn.Sequential(nn.Linear(49, 50), nn.Hardswish(), nn.Linear(50, 7))
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(3):
    model.train()
    epoch_loss = 0.0
    for xb, yb in train_dl:
        pred = model(xb)
        loss = criterion(pred, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch} loss {epoch_loss / len(train_dl):.6f}")

# %%
model.eval()
hits = 0
with torch.no_grad():
    for xb, yb in test_dl:
        hits += (model(xb).argmax(1) == yb).sum().item()
print(f"result: {hits / 350:.4f}")
