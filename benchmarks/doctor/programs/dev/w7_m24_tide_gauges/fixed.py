import math

import torch
from torch import nn

torch.manual_seed(40)

GAUGES, HOURS, CHUNK, WARMUP, EPOCHS = 24, 1500, 20, 2, 6

hours = torch.arange(HOURS)
moon = torch.sin(2 * math.pi * hours / 12.42 + 2 * math.pi * torch.rand(GAUGES, 1))
sun = 0.45 * torch.sin(2 * math.pi * hours / 12.0 + 2 * math.pi * torch.rand(GAUGES, 1))
surge = torch.zeros(GAUGES, HOURS)
for t in range(1, HOURS):
    surge[:, t] = 0.95 * surge[:, t - 1] + 0.05 * torch.randn(GAUGES)
level = (1 + torch.rand(GAUGES, 1)) * (moon + sun) + surge + 0.05 * torch.randn(GAUGES, HOURS)

cut = 1201
mean, std = level[:, :cut].mean(), level[:, :cut].std()
level = ((level - mean) / std).unsqueeze(-1)
train, test = level[:, :cut], level[:, cut:]


class TideNet(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        h, state = self.lstm(x, state)
        return self.out(h), state


def chunks(series):
    """Consecutive pieces of all gauges, with the level one hour later as the target."""
    for start in range(0, series.shape[1] - CHUNK, CHUNK):
        yield series[:, start:start + CHUNK], series[:, start + 1:start + CHUNK + 1]


net = TideNet()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
criterion = nn.MSELoss()

for epoch in range(EPOCHS):
    net.train()
    carry = epoch >= WARMUP
    state, total, count = None, 0.0, 0
    for x, y in chunks(train):
        if carry and state is not None:
            state = tuple(s.detach() for s in state)
        else:
            state = None
        out, state = net(x, state)
        loss = criterion(out, y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total, count = total + loss.item(), count + 1
    print(f"epoch {epoch + 1} ({'stateful' if carry else 'stateless'}): mse {total / count:.5f}")

net.eval()
with torch.no_grad():
    out, _ = net(test[:, :-1])
    rmse = (out - test[:, 1:]).pow(2).mean().sqrt().item()
print(f"result: {rmse:.4f}")
