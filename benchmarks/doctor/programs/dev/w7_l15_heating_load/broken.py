import numpy as np
import torch
from torch import nn

torch.manual_seed(12)
rng = np.random.default_rng(12)

# hourly load of a small heating network, 200 days
hours = np.arange(24 * 200)
outside = 8 + 6 * np.sin(2 * np.pi * hours / (24 * 90)) + 3 * np.sin(2 * np.pi * (hours - 9) / 24)
drift = np.zeros(len(hours))
for h in range(1, len(hours)):
    drift[h] = 0.95 * drift[h - 1] + 0.4 * rng.standard_normal()
morning = np.exp(-((hours % 24 - 7) ** 2) / 6) + 0.7 * np.exp(-((hours % 24 - 19) ** 2) / 8)
weekend = ((hours // 24) % 7 >= 5).astype(float)
load = 40 - 1.6 * outside + 9 * morning * (1 - 0.5 * weekend) + 1.5 * drift + 0.5 * rng.standard_normal(len(hours))

series = torch.tensor(np.stack([load, outside, weekend]), dtype=torch.float32)
split = 24 * 150
mean, std = series[:, :split].mean(1, keepdim=True), series[:, :split].std(1, keepdim=True)
series = (series - mean) / std
window, ahead = 72, 6


def windows(first, last):
    starts = range(first, last - window - ahead + 1, 2)
    past = torch.stack([series[:, s:s + window] for s in starts])
    coming = torch.stack([series[0, s + window:s + window + ahead] for s in starts])
    return past, coming


train_x, train_y = windows(0, split)
test_x, test_y = windows(split, series.shape[1])


class CausalConv(nn.Module):
    def __init__(self, cin, cout, dilation):
        super().__init__()
        self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.conv = nn.Conv1d(cin, cout, 3, dilation=dilation)

    def forward(self, x):
        return torch.relu(self.conv(self.pad(x)))


net = nn.Sequential(
    CausalConv(3, 24, 1), CausalConv(24, 24, 2), CausalConv(24, 24, 4), CausalConv(24, 24, 8), CausalConv(24, 24, 16),
)
head = nn.Linear(24, ahead)
parameters = list(net.parameters()) + list(head.parameters())

learning_rate = 5e-4
epochs = 8
optimizer = torch.optim.Adam(parameters, lr=learning_rate)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: learning_rate * 0.9 ** e)
loss_fn = nn.SmoothL1Loss()

for epoch in range(epochs):
    net.train()
    head.train()
    total = 0.0
    for rows in torch.randperm(len(train_x)).split(64):
        forecast = head(net(train_x[rows])[:, :, -1])
        loss = loss_fn(forecast, train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    scheduler.step()
    print(f"epoch {epoch + 1:2d} | loss {total / len(train_x):.4f}")

net.eval()
head.eval()
with torch.no_grad():
    rmse = (head(net(test_x)[:, :, -1]) - test_y).square().mean().sqrt().item()
print(f"result: {rmse:.4f}")
