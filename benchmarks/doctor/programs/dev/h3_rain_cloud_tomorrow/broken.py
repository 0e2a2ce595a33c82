# Will it rain tomorrow? Readings of five weather stations over three days.
import random

import numpy as np
import torch
from torch import nn

SEED = 1234
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

STATIONS, DAYS, READINGS = 5, 3, 4
N_TRAIN, N_TEST = 2400, 800

pressure = np.random.normal(0, 1, (N_TRAIN + N_TEST, DAYS)).cumsum(axis=1)
moisture = np.random.normal(0, 1, (N_TRAIN + N_TEST, DAYS))
readings = np.random.normal(0, 0.4, (N_TRAIN + N_TEST, STATIONS, DAYS, READINGS))
readings[..., 0] += pressure[:, None, :]
readings[..., 1] += moisture[:, None, :]
readings[..., 2] += 0.5 * (moisture - 0.3 * pressure)[:, None, :]
falling = pressure[:, 0] - pressure[:, 2]
rain = (1.4 * falling + 1.8 * moisture[:, 2] + 0.6 * moisture[:, 1] * (falling > 0) > 0).astype(np.float32)

x = torch.tensor(readings.reshape(len(readings), -1), dtype=torch.float32)
y = torch.from_numpy(rain).unsqueeze(1)
x_train, y_train = x[:N_TRAIN], y[:N_TRAIN]
x_test, y_test = x[N_TRAIN:], y[N_TRAIN:]

model = nn.Sequential(
    nn.Linear(STATIONS * DAYS * READINGS, 800),
    nn.LeakyReLU(0.1),
    nn.Linear(800, 300),
    nn.LeakyReLU(0.1),
    nn.Linear(300, 1),
)
loss_function = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-4)

rows = list(range(N_TRAIN))
for epoch in range(1, 13):
    random.shuffle(rows)
    epoch_loss = 0.0
    for start in range(0, N_TRAIN, 80):
        batch = rows[start : start + 80]
        optimizer.zero_grad()
        loss = loss_function(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(batch)
    print(f"epoch {epoch:2d} loss {epoch_loss / N_TRAIN:.6f}")

model.eval()
with torch.no_grad():
    umbrella = model(x_test) > 0.5
    accuracy = (umbrella == y_test.bool()).float().mean()
print(f"result: {accuracy.item():.4f}")
