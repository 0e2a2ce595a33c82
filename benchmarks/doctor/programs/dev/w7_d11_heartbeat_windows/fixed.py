# %%
import math
import torch
from torch import nn

torch.manual_seed(11)
LENGTH, KINDS = 120, 3

# %%
def synth_beat(kind, count):
    t = torch.linspace(0, 1, LENGTH).expand(count, LENGTH)
    centre = 0.5 + 0.08 * torch.randn(count, 1)
    width = {0: 0.02, 1: 0.05, 2: 0.02}[kind]
    beat = torch.exp(-((t - centre) / width) ** 2 / 2)
    if kind == 2:
        beat = beat - 0.6 * torch.exp(-((t - centre - 0.08) / 0.03) ** 2 / 2)
    drift = 3.0 * torch.randn(count, 1) + 0.2 * torch.sin(2 * math.pi * t + 6 * torch.rand(count, 1))
    return beat + drift + 0.25 * torch.randn(count, LENGTH)

signal = torch.cat([synth_beat(k, 700) for k in range(KINDS)]).unsqueeze(1)
kind = torch.arange(KINDS).repeat_interleave(700)
order = torch.randperm(len(signal))
train_rows, test_rows = order[:1600], order[1600:]

# %%
centred = signal - signal.mean(dim=2, keepdim=True)
scale = centred[train_rows].std() + 1e-8
x_train, x_test = centred[train_rows] / scale, centred[test_rows] / scale
y_train, y_test = kind[train_rows], kind[test_rows]

# %%
class BeatNet(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, width, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(width, width, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(width, width, 5, padding=2), nn.ReLU())
        self.head = nn.Linear(width, KINDS)

    def forward(self, x):
        return self.head(self.features(x).amax(-1))

net = BeatNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

# %%
history = []
for epoch in range(8):
    net.train()
    for rows in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = criterion(net(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    print(epoch, round(sum(history[-32:]) / 32, 3))

# %%
net.eval()
with torch.no_grad():
    guess = net(x_test).argmax(1)
print(f"result: {(guess == y_test).float().mean().item():.4f}")
