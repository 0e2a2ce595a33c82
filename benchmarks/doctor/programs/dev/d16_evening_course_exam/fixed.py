"""Who will pass the exam of the evening course?  (school office export)"""
import io

import numpy as np
import torch
from torch import nn

torch.manual_seed(16)
rng = np.random.default_rng(16)

# the office sends a text file: id, age, hours, absences, homework, passed, distance, fee_paid
lines = ["id,age,hours,absences,homework,passed,distance_km,fee_paid"]
for student in range(1600):
    age, hours = rng.integers(18, 64), rng.gamma(3, 2)
    absences, homework = rng.poisson(3), rng.uniform(0, 10)
    distance, fee = rng.gamma(2, 4), rng.integers(0, 2)
    chance = 0.45 * (hours - 6) - 0.5 * (absences - 3) + 0.35 * (homework - 5) + 0.25 * fee
    passed = int(chance + rng.logistic(0, 0.8) > 0)
    lines.append(f"{student},{age},{hours:.1f},{absences},{homework:.1f},{passed},{distance:.1f},{fee}")
export = "\n".join(lines)

table = np.genfromtxt(io.StringIO(export), delimiter=",", skip_header=1)
y = table[:, 5].astype(np.int64)
X = np.delete(table, [0, 5], axis=1)

order = rng.permutation(len(X))
train, test = order[:1200], order[1200:]
mean, std = X[train].mean(axis=0), X[train].std(axis=0)
X = torch.tensor((X - mean) / std, dtype=torch.float32)
y = torch.from_numpy(y)
train, test = torch.from_numpy(train), torch.from_numpy(test)

model = nn.Sequential(nn.Linear(X.shape[1], 24), nn.ReLU(), nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 2))
opt = torch.optim.Adam(model.parameters(), lr=0.003)
ce = nn.CrossEntropyLoss()

for epoch in range(1, 16):
    model.train()
    running = 0.0
    for rows in train[torch.randperm(len(train))].split(48):
        opt.zero_grad()
        loss = ce(model(X[rows]), y[rows])
        loss.backward()
        opt.step()
        running += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {running / len(train):.4f}")

model.eval()
with torch.no_grad():
    guess = model(X[test]).argmax(dim=1)
share = y[test].float().mean().item()
print(f"always the common answer: {max(share, 1 - share):.3f}")
print(f"accuracy on 400 other students: {(guess == y[test]).float().mean().item():.3f}")
