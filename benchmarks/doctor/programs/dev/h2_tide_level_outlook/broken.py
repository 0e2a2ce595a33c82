import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(4)
torch.manual_seed(4)

# hourly level of the water: moon, sun, weather
hours = np.arange(2300)
level = (np.sin(2 * np.pi * hours / 12.42) + 0.45 * np.sin(2 * np.pi * hours / 12.0 + 0.6)
         + 0.3 * np.sin(2 * np.pi * hours / 25.8))
weather = np.zeros_like(level)
for h in range(1, len(hours)):
    weather[h] = 0.95 * weather[h - 1] + 0.05 * np.random.randn()
level = torch.tensor(level + weather, dtype=torch.float32)

window = 24
past = level.unfold(0, window, 1)[:-3].unsqueeze(-1)
future = level[window + 2:].unsqueeze(-1)

# windows of the last 400 hours are kept for the test, with a gap of one window
train_rows = torch.randperm(len(past) - 400 - window)
test_rows = torch.arange(len(past) - 400, len(past))
loader = DataLoader(TensorDataset(past[train_rows], future[train_rows]), batch_size=32)


class Outlook(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=24, batch_first=True)
        self.linear = nn.Linear(24, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1])


model = Outlook()
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)

for epoch in range(6):
    total = 0.0
    for step in range(len(loader)):
        x, y = next(iter(loader))
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch", epoch, "mse", format(total / len(loader), ".6f"))

model.eval()
with torch.no_grad():
    error = model(past[test_rows]) - future[test_rows]
    spread = future[test_rows] - future[test_rows].mean()
print(f"result: {1 - (error.pow(2).mean() / spread.pow(2).mean()).item():.4f}")
