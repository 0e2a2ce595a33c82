import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(70)

# heart beats: is the rhythm regular?
time = torch.arange(50) / 10
regular = torch.rand(1500) < 0.5
jitter = torch.where(regular, 0.0, 1.0)[:, None] * torch.randn(1500, 50).cumsum(1) * 0.4
beats = torch.sin(2 * math.pi * time + jitter + torch.rand(1500, 1) * 6) + 0.2 * torch.randn(1500, 50)
beats, regular = beats[:, None], regular.float()

train_set = TensorDataset(beats[:1200], regular[:1200])
test_set = TensorDataset(beats[1200:], regular[1200:])

cnn = nn.Sequential(
    nn.Conv1d(1, 12, 9), nn.ReLU(), nn.Conv1d(12, 12, 9), nn.ReLU(),
    nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(48, 1), nn.Flatten(0),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(cnn.parameters(), lr=4e-3)

for epoch in range(5):
    cnn.train()
    total = 0.0
    for signal, wanted in DataLoader(train_set, batch_size=40, shuffle=True):
        loss = criterion(cnn(signal), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(wanted)
    print(f"epoch {epoch} loss {total / 1200:.6f}")

cnn.eval()
hits = 0
with torch.no_grad():
    for signal, wanted in DataLoader(test_set, batch_size=150):
        hits += ((cnn(signal) > 0).float() == wanted).sum().item()
print(f"result: {hits / 300:.4f}")
