# %%
import torch
from torch import nn

torch.manual_seed(33)

# %%
# lift of a small wing from angle, flap, speed, span and sweep
def wings(n, g):
    angle = torch.rand(n, generator=g) * 24 - 6
    flap = torch.rand(n, generator=g) * 30
    speed = torch.rand(n, generator=g) * 40 + 20
    span = torch.rand(n, generator=g) * 3 + 1
    sweep = torch.rand(n, generator=g) * 35
    slope = 0.1 * torch.cos(torch.deg2rad(sweep)) / (1 + 2 / span)
    stall = torch.sigmoid((angle - 13 + 0.1 * flap) / 1.5)
    coefficient = slope * (angle + 3) * (1 - 0.6 * stall) + 0.02 * flap * torch.sin(torch.deg2rad(3 * flap))
    lift = coefficient * span * speed ** 2 / 100 + 0.1 * torch.randn(n, generator=g)
    return torch.stack([angle, flap, speed, span, sweep], dim=1), lift


g = torch.Generator().manual_seed(5)
x_train, y_train = wings(3000, g)
x_test, y_test = wings(800, g)
xm, xs, ym, ys = x_train.mean(0), x_train.std(0), y_train.mean(), y_train.std()
x_train, x_test = (x_train - xm) / xs, (x_test - xm) / xs
y_train, y_test = (y_train - ym) / ys, (y_test - ym) / ys

# %%
class Dense(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(n_in, n_out) / n_in ** 0.5)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return x @ self.kernel + self.bias


surrogate = nn.Sequential(Dense(5, 96), nn.Tanh(), Dense(96, 96), nn.Tanh(), Dense(96, 1))
optimizer = torch.optim.NAdam(surrogate.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.3)
huber = nn.HuberLoss()

# %%
for epoch in range(20):
    surrogate.train()
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(100):
        optimizer.zero_grad()
        loss = huber(surrogate(x_train[rows]).squeeze(-1), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    schedule.step()
    if epoch % 5 == 4:
        print(f"{epoch + 1:3d} {total / len(x_train):.5f}")

# %%
surrogate.eval()
with torch.no_grad():
    rmse = (surrogate(x_test).squeeze(-1) - y_test).square().mean().sqrt()
print(f"result: {rmse.item():.4f}")
