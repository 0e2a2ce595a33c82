# Credit card segments: small memory, so gradients of eight small batches are put together.
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(12)
torch.manual_seed(12)

N, F, K = 2560, 16, 4
centres = rng.normal(0, 1.0, (K, 2, F))
segment = rng.integers(0, K, N + 640)
variant = rng.integers(0, 2, N + 640)
spend = centres[segment, variant] + rng.normal(0, 1.1, (N + 640, F))
spend = spend * rng.uniform(0.5, 30, F) + rng.uniform(-5, 50, F)

mean, std = spend[:N].mean(0), spend[:N].std(0)
features = torch.tensor((spend - mean) / std, dtype=torch.float32)
targets = torch.from_numpy(segment)
loader = DataLoader(TensorDataset(features[:N], targets[:N]), batch_size=8, shuffle=True)

net = nn.Sequential(nn.Linear(F, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, K))
opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
criterion = nn.CrossEntropyLoss()
accumulate = 8

for epoch in range(5):
    running = 0.0
    opt.zero_grad()
    for i, (xb, yb) in enumerate(loader, start=1):
        loss = criterion(net(xb), yb)
        loss.backward()
        running += loss.item()
        if i % accumulate == 0:
            opt.step()
            opt.zero_grad()
    print("epoch", epoch, "loss", round(running / len(loader), 4))

with torch.no_grad():
    guess = net(features[N:]).argmax(1)
print(f"result: {(guess == targets[N:]).float().mean().item():.4f}")
