import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)

# area, lot, income of the quarter, distance to the station, visitors of the advert
n = 4000
raw = np.random.lognormal(mean=[4.2, 5.0, 3.4, 1.2, 2.8], sigma=[0.4, 0.8, 0.5, 0.6, 0.9], size=(n, 5))
logs = np.log(raw)
price = (1.1 * logs[:, 0] + 0.3 * np.tanh(logs[:, 1] - 5.0) + 0.5 * (logs[:, 2] - 3.4) ** 2
         - 0.6 * np.maximum(logs[:, 3] - 1.0, 0) + 0.1 * logs[:, 4] + 0.05 * np.random.randn(n))

rows = np.random.permutation(n)
raw_train, raw_test = raw[rows[:3000]], raw[rows[3000:]]
price_train, price_test = price[rows[:3000]], price[rows[3000:]]

x_train = np.log1p(raw_train)
center, scale = x_train.mean(axis=0), x_train.std(axis=0)
x_train = (x_train - center) / scale
x_test = (raw_test - center) / scale

mid, spread = price_train.mean(), price_train.std()
y_train = (price_train - mid) / spread
y_test = (price_test - mid) / spread

train_loader = DataLoader(TensorDataset(torch.tensor(x_train, dtype=torch.float32),
                                        torch.tensor(y_train, dtype=torch.float32)),
                          batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(torch.tensor(x_test, dtype=torch.float32),
                                       torch.tensor(y_test, dtype=torch.float32)),
                         batch_size=200)

net = nn.Sequential(nn.Linear(5, 256), nn.SiLU(),
                    nn.Linear(256, 256), nn.SiLU(),
                    nn.Linear(256, 1))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-4)
epochs = 25
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=epochs)

for epoch in range(epochs):
    net.train()
    total = 0.0
    for xb, yb in train_loader:
        opt.zero_grad()
        loss = F.smooth_l1_loss(net(xb).squeeze(1), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    sched.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "train loss", round(total / len(x_train), 5))

net.eval()
absolute, count = 0.0, 0
with torch.no_grad():
    for xb, yb in test_loader:
        absolute += (net(xb).squeeze(1) - yb).abs().sum().item()
        count += len(yb)
print(f"result: {absolute / count:.4f}")
