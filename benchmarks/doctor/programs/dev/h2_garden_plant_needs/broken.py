# What does a plant need?  (water, shade, lime, a stake, winter cover): several answers may hold
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(90)
g = torch.Generator().manual_seed(91)

plants = torch.randn(2700, 16, generator=g)
mix = torch.randn(16, 5, generator=g) / 4
bend = torch.randn(16, 5, generator=g) / 4
needs = 2.5 * torch.tanh(2 * plants @ mix) + (plants @ bend) ** 2 - 0.8
needs = ((needs + 0.25 * torch.randn(2700, 5, generator=g)) > 0).float()

train_loader = DataLoader(TensorDataset(plants[:2200], needs[:2200]), batch_size=40, shuffle=True)
test_loader = DataLoader(TensorDataset(plants[2200:], needs[2200:]), batch_size=125)

model = nn.Sequential(nn.Linear(16, 256), nn.Mish(), nn.Linear(256, 128), nn.Mish(), nn.Linear(128, 5))
loss_fn = nn.MultiLabelSoftMarginLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
warm = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, epochs=8, steps_per_epoch=len(train_loader))

for epoch in range(8):
    model.train()
    sums = []
    for features, wanted in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(features), wanted)
        loss.backward()
        optimizer.step()
        warm.step()
        sums.append(loss.item() * len(features))
    print("epoch {} loss {:.6f}".format(epoch + 1, sum(sums) / 2200))

model.eval()
agree = answers = 0
with torch.no_grad():
    for features, wanted in test_loader:
        chosen = model(features) > 0.5
        agree += (chosen == wanted.bool()).sum().item()
        answers += wanted.numel()
print(f"result: {agree / answers:.4f}")
