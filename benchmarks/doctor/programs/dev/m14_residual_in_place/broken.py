# %% [markdown]
# ## Residual MLP for house prices
# Same block as in the lecture, three times.

# %%
import numpy as np
import torch
import torch.nn as nn

np.random.seed(2)
torch.manual_seed(2)

# %% the data
n = 1800
area = np.random.uniform(40, 220, n)
rooms = np.clip(np.round(area / 28 + np.random.randn(n)), 1, 9)
age = np.random.uniform(0, 90, n)
distance = np.random.exponential(6, n)
garden = np.random.rand(n) < 0.4
price = 2.6 * area + 9 * rooms + 60 * garden - 0.9 * age + 0.008 * age**2 - 90 * np.log1p(distance)
price = price + np.where(area > 150, 60, 0) + 15 * np.random.randn(n)
features = np.column_stack([area, rooms, age, distance, garden]).astype("float32")
target = price.astype("float32").reshape(-1, 1)

# %% split, then scale with the training part
split = 1400
x_mean, x_std = features[:split].mean(0), features[:split].std(0)
y_mean, y_std = target[:split].mean(), target[:split].std()
X = torch.from_numpy((features - x_mean) / x_std)
Y = torch.from_numpy((target - y_mean) / y_std)
X_train, Y_train, X_test, Y_test = X[:split], Y[:split], X[split:], Y[split:]


# %%
class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x):
        h = torch.relu(self.fc1(x))
        h = torch.tanh(self.fc2(h))
        h += x
        return h


net = nn.Sequential(nn.Linear(5, 32), ResidualBlock(32), ResidualBlock(32), ResidualBlock(32), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()

# %%
for epoch in range(12):
    net.train()
    for rows in torch.randperm(split).split(50):
        loss = loss_fn(net(X_train[rows]), Y_train[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print(epoch, f"train mse {loss_fn(net(X_train), Y_train).item():.4f}")

# %%
with torch.no_grad():
    residual = (net(X_test) - Y_test).square().sum()
r2 = 1 - (residual / (Y_test - Y_test.mean()).square().sum()).item()
print(f"R2 on the test houses: {r2:.4f}")
