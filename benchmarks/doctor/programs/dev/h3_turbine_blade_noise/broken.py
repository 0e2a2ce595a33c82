# Noise of a turbine blade in decibels out of speed, angle and other readings.
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(2)
torch.manual_seed(2)


def tensor(values):
    return torch.from_numpy(values)


class Dense(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(tensor(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))))
        self.bias = nn.Parameter(tensor(np.zeros(n_out)))

    def forward(self, x):
        return x @ self.weight + self.bias


readings = rng.uniform(-1.7, 1.7, (3000, 16))
mixed = readings @ rng.normal(0, 0.25, (16, 5))
decibels = np.sin(1.5 * mixed[:, :1]) + mixed[:, 1:2] * mixed[:, 2:3] + np.abs(mixed[:, 3:4]) + mixed[:, 4:5]
decibels = 110 + 9 * (decibels + rng.normal(0, 0.1, decibels.shape))

shift, scale = decibels[:2400].mean(), decibels[:2400].std()
x_train, y_train = tensor(readings[:2400]), tensor((decibels[:2400] - shift) / scale)
x_test, y_test = tensor(readings[2400:]), tensor((decibels[2400:] - shift) / scale)

model = nn.Sequential(Dense(16, 400), nn.ELU(), Dense(400, 400), nn.ELU(), Dense(400, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(16):
    model.train()
    epoch_losses = []
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), 60):
        batch = order[start : start + 60]
        loss = (model(x_train[batch]) - y_train[batch]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss)
    print(f"epoch {epoch + 1} loss {torch.stack(epoch_losses).mean().item():.6f}")

model.eval()
with torch.no_grad():
    error = (model(x_test) - y_test).pow(2).mean()
    spread = (y_test - y_test.mean()).pow(2).mean()
print(f"result: {1 - (error / spread).item():.4f}")
