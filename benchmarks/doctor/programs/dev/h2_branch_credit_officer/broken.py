import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)

n = 3000
income = rng.normal(42000, 11000, n).clip(8000)
debt = rng.gamma(2.0, 6000, n)
age = rng.integers(19, 76, n)
years_at_job = rng.exponential(6, n).clip(0, 40)
missed = rng.poisson(0.8, n)
want = rng.uniform(2000, 40000, n)
risk = (2.2 * (debt + want) / income - 0.04 * (age - 40) / 5 - 0.12 * years_at_job + 0.9 * missed
        + rng.normal(0, 0.5, n))
low, high = np.quantile(risk, [0.33, 0.67])
grade = np.digitize(risk, [low, high])

table = np.stack([income, debt, age, years_at_job, missed, want], axis=1)
cut = 2400
X_tr = torch.tensor(table[:cut], dtype=torch.float32)
X_te = torch.tensor(table[cut:], dtype=torch.float32)
y_tr, y_te = torch.tensor(grade[:cut]), torch.tensor(grade[cut:])

net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for epoch in range(1, 13):
    net.train()
    running = 0.0
    for pick in torch.randperm(cut).split(64):
        optimizer.zero_grad()
        out = net(X_tr[pick])
        loss = criterion(out, y_tr[pick])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(pick)
    print("epoch %d loss %.6f" % (epoch, running / cut))

net.eval()
with torch.no_grad():
    right = (net(X_te).argmax(1) == y_te).sum().item()
print("result: %.4f" % (right / len(y_te)))
