import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import StepLR

np.random.seed(3)
torch.manual_seed(3)

# hour of the day, temperature, rain, holiday -> rented bikes
n = 2400
hour = np.random.randint(0, 24, n)
temp = np.random.randn(n)
rain = np.random.rand(n) < 0.3
holiday = np.random.rand(n) < 0.2
rush = np.exp(-((hour - 8) / 2.0) ** 2) + np.exp(-((hour - 17) / 2.5) ** 2)
noon = np.exp(-((hour - 13) / 4.0) ** 2)
bikes = np.where(holiday, noon, rush) * (1.5 + 0.6 * np.tanh(temp)) * np.where(rain, 0.5, 1.0)
bikes = bikes + 0.08 * np.random.randn(n)

angle = 2 * np.pi * hour / 24
X = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle), temp, rain, holiday], axis=1)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(bikes, dtype=torch.float32).view(-1, 1)
X_train, y_train = X[:1900], y[:1900]
X_test, y_test = X[1900:], y[1900:]

net = nn.Sequential(nn.Linear(7, 256), nn.LeakyReLU(), nn.Linear(256, 128), nn.LeakyReLU(), nn.Linear(128, 1))
mse = nn.MSELoss()
opt = torch.optim.Adam(net.parameters(), lr=0.005)
sched = StepLR(opt, step_size=4, gamma=0.5)

for epoch in range(12):
    perm = torch.randperm(1900)
    total = 0
    for k in range(0, 1900, 95):
        rows = perm[k:k + 95]
        opt.zero_grad()
        loss = mse(net(X_train[rows]), y_train[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    sched.step()
    print("epoch", epoch, "loss %.6f" % (total / 20), "lr", opt.param_groups[0]["lr"])

net.eval()
with torch.no_grad():
    wrong = ((net(X_test) - y_test) ** 2).sum()
    spread = ((y_test - y_test.mean()) ** 2).sum()
print("result: %.4f" % (1 - wrong / spread).item())
