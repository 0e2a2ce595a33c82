import math
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(16)

# two hundred days of hourly electricity load
hours = torch.arange(24 * 200, dtype=torch.float32)
weather = torch.zeros(len(hours))
shock = torch.randn(len(hours))
for h in range(1, len(hours)):
    weather[h] = 0.9 * weather[h - 1] + 0.4 * shock[h]
load = 50 + 8 * torch.sin(2 * math.pi * hours / 24) + 3 * torch.sin(2 * math.pi * hours / 168)
load = load + 4 * weather + torch.randn(len(hours))

LOOKBACK, cut = 48, 24 * 160
mean, std = load[:cut].mean(), load[:cut].std()
scaled = (load - mean) / std

def to_pairs(part):
    windows = part.unfold(0, LOOKBACK + 1, 1)
    return windows.unsqueeze(-1), windows[:, -1]

train_x, train_y = to_pairs(scaled[:cut])
test_x, test_y = to_pairs(scaled[cut:])

class LoadGRU(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.out(states[:, -1]).squeeze(-1)

model = LoadGRU()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
batch = 128

for epoch in range(7):
    model.train()
    perm = torch.randperm(len(train_x))
    seen = 0.0
    for start in range(0, len(perm), batch):
        pick = perm[start:start + batch]
        prediction = model(train_x[pick])
        loss = F.smooth_l1_loss(prediction, train_y[pick])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += loss.item() * len(pick)
    print(f"epoch {epoch}: {seen / len(perm):.4f}")

model.eval()
with torch.no_grad():
    error = (model(test_x) - test_y).abs().mean().item()
print(f"result: {error:.4f}")
