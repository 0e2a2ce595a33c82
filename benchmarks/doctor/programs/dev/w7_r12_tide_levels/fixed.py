import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(12)
torch.manual_seed(12)

# hourly water level at two gauges
hour = np.arange(3200)
moon = 1.8 * np.sin(2 * np.pi * hour / 12.42) + 0.7 * np.sin(2 * np.pi * hour / 12.0 + 1.0)
wind = np.convolve(np.random.randn(len(hour) + 19), np.ones(20) / 6, mode="valid")
harbour = moon + wind + 0.05 * np.random.randn(len(hour))
river = 0.6 * np.roll(moon, 3) + 0.8 * np.roll(wind, 2) + 0.05 * np.random.randn(len(hour))
gauges = np.stack([harbour, river], axis=1)[3:]

PAST, AHEAD, CUT = 48, 6, 2500
gauges = (gauges - gauges[:CUT].mean(axis=0)) / gauges[:CUT].std(axis=0)

def windows(series):
    starts = range(len(series) - PAST - AHEAD + 1)
    past = np.stack([series[s:s + PAST].T for s in starts])
    level = np.stack([series[s + PAST:s + PAST + AHEAD, 0] for s in starts])
    return torch.from_numpy(past).float(), torch.from_numpy(level).float()

x_train, y_train = windows(gauges[:CUT])
x_test, y_test = windows(gauges[CUT:])

net = nn.Sequential(
    nn.Conv1d(2, 32, 5, padding=2), nn.ReLU(),
    nn.Conv1d(32, 32, 5, stride=2, padding=2), nn.ReLU(),
    nn.Conv1d(32, 32, 5, stride=2, padding=2), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * PAST // 4, AHEAD),
).to(x_train.dtype)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.3)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=96, shuffle=True)

for epoch in range(12):
    net.train()
    summed = 0.0
    for past, level in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(past), level)
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(past)
    scheduler.step()
    print(f"epoch {epoch:2d} mse {summed / len(x_train):.4f}")

net.eval()
with torch.no_grad():
    mae = (net(x_test) - y_test).abs().mean().item()
print(f"result: {mae:.4f}")
