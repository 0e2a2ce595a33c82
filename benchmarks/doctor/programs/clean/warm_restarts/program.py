import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(51)
radius = torch.rand(1500)
arm = torch.randint(0, 2, (1500,))
turn = 7 * radius + 3.1416 * arm + 0.15 * torch.randn(1500)
spot = torch.stack([radius * turn.cos(), radius * turn.sin()], dim=1) * 2
train_loader = DataLoader(TensorDataset(spot[:1200], arm[:1200]), batch_size=40, shuffle=True)

model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=2)
for epoch in range(9):
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(f"epoch {epoch} lr {scheduler.get_last_lr()[0]:.5f} loss {total / len(train_loader):.6f}")

with torch.no_grad():
    hits = (model(spot[1200:]).argmax(1) == arm[1200:]).sum().item()
print(f"result: {hits / 300:.4f}")
