import math
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Stream(IterableDataset):
    def __init__(self, seed, count):
        self.seed, self.count, self.passes = seed, count, 0

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed + self.passes)
        self.passes += 1
        for _ in range(self.count):
            kind = int(torch.randint(0, 3, (), generator=g))
            angle = 2 * math.pi * kind / 3
            spot = torch.tensor([math.cos(angle), math.sin(angle)]) + 0.45 * torch.randn(2, generator=g)
            yield torch.cat([spot, spot.norm().view(1)]), kind


torch.manual_seed(75)
train = DataLoader(Stream(1000, 1200), batch_size=40)
test = DataLoader(Stream(5000, 300), batch_size=60)
model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(3):
    total, seen = 0.0, 0
    for x, kind in train:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), kind)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        seen += len(x)
    print(f"epoch {epoch} loss {total / seen:.6f} of {seen} samples")
hits = seen = 0
with torch.no_grad():
    for x, kind in test:
        hits += (model(x).argmax(1) == kind).sum().item()
        seen += len(kind)
print(f"result: {hits / seen:.4f}")
