import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Normal
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(64)
rng = np.random.default_rng(64)

# rides: distance in km, hour of the day, rain, day of the week
n = 3000
distance = rng.gamma(2.2, 2.6, n)
hour = rng.uniform(0, 24, n)
rain = rng.integers(0, 2, n)
weekday = rng.integers(0, 7, n)
rush = np.exp(-((hour - 8.5) ** 2) / 3) + np.exp(-((hour - 17.5) ** 2) / 4)
minutes = 3 + distance * (1.8 + 1.6 * rush * (weekday < 5) + 0.5 * rain)
minutes = minutes + rng.normal(0, 1, n) * (0.4 + 0.12 * distance)

inputs = np.stack(
    [
        (distance - 5.7) / 3.9,
        np.sin(hour / 24 * 2 * np.pi),
        np.cos(hour / 24 * 2 * np.pi),
        np.sin(hour / 12 * 2 * np.pi),
        np.cos(hour / 12 * 2 * np.pi),
        rain - 0.5,
        (weekday < 5) - 0.71,
    ],
    axis=1,
)
rides = TensorDataset(
    torch.tensor(inputs, dtype=torch.float32),
    torch.tensor(minutes / 10, dtype=torch.float32),
)
train_rides, test_rides = random_split(rides, [2500, 500], generator=torch.Generator().manual_seed(1))
train_loader = DataLoader(train_rides, batch_size=100, shuffle=True)
test_loader = DataLoader(test_rides, batch_size=500)


class RideTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(7, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh())
        self.centre = nn.Linear(256, 1)
        self.width = nn.Linear(256, 1)

    def forward(self, x):
        h = self.hidden(x)
        return Normal(self.centre(h).squeeze(-1), nn.functional.softplus(self.width(h)).squeeze(-1) + 0.05)


ride_time = RideTime()
optimizer = torch.optim.Adam(ride_time.parameters(), lr=1e-3)

for epoch in range(32):
    ride_time.train()
    epoch_losses = []
    for x, y in train_loader:
        belief = ride_time(x)
        loss = -belief.log_prob(y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss.item())
    print(f"epoch {epoch + 1:2d}: {np.mean(epoch_losses):.6f}")

ride_time.eval()
with torch.no_grad():
    x, y = next(iter(test_loader))
    error = ((ride_time(x).mean - y) ** 2).mean() / y.var(unbiased=False)
print(f"result: {1 - error.item():.4f}")
