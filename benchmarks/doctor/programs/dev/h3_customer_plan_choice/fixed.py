from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    seed: int = 5
    hidden: int = 384
    batch_size: int = 200
    epochs: int = 40
    lr: float = 1e-3


cfg = Config()
np.random.seed(cfg.seed)
torch.manual_seed(cfg.seed)

# customers of a phone company and the plan (basic, family, premium) that they took
n = 3000
income = np.random.normal(52000, 14000, n)
age = np.random.uniform(18, 80, n)
minutes = np.random.gamma(3.0, 160.0, n)
megabytes = np.random.gamma(2.0, 4000.0, n)
tenure_days = np.random.uniform(0, 3650, n)
children = np.random.poisson(1.2, n)

premium = (income - 52000) / 14000 + (megabytes - 8000) / 5600 - 0.3 * (age - 49) / 18
family = 1.3 * (children - 1.2) + (minutes - 480) / 277 - 0.4 * ((tenure_days - 1825) / 1053) ** 2 + 0.4
basic = 0.5 * (age - 49) / 18 - (income - 52000) / 14000 * 0.4 + 0.3
scores = np.stack([basic, family, premium], axis=1) + np.random.gumbel(0, 0.25, (n, 3))
plan = torch.from_numpy(scores.argmax(axis=1))

columns = torch.tensor(np.stack([income, age, minutes, megabytes, tenure_days, children], axis=1), dtype=torch.float32)
train_x, test_x = columns[:2400], columns[2400:]
mean, std = train_x.mean(dim=0), train_x.std(dim=0)
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std
train_y, test_y = plan[:2400], plan[2400:]

loader = DataLoader(TensorDataset(train_x, train_y), batch_size=cfg.batch_size, shuffle=True)

net = nn.Sequential(
    nn.Linear(6, cfg.hidden),
    nn.ReLU(),
    nn.Linear(cfg.hidden, cfg.hidden),
    nn.ReLU(),
    nn.Linear(cfg.hidden, 3),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=cfg.lr)

for epoch in range(cfg.epochs):
    running = 0.0
    for features, target in loader:
        optimizer.zero_grad()
        loss = criterion(net(features), target)
        loss.backward()
        optimizer.step()
        running += loss.item() * target.size(0)
    print(f"[{epoch + 1:02d}/{cfg.epochs}] loss {running / len(train_y):.6f}")

with torch.no_grad():
    chosen = net(test_x).argmax(dim=1)
    right = (chosen == test_y).float().mean().item()
print(f"result: {right:.4f}")
