import numpy as np
import torch
from torch import nn

torch.manual_seed(48)
rng = np.random.default_rng(48)
n, folds = 1000, 5
y = torch.tensor(rng.integers(0, 3, n))
means = torch.tensor(rng.normal(size=(3, 8)) * 1.2, dtype=torch.float32)
x = means[y] + torch.tensor(rng.normal(size=(n, 8)), dtype=torch.float32)
parts = np.array_split(rng.permutation(n), folds)

scores = []
for k in range(folds):
    held_out = torch.tensor(parts[k])
    rest = torch.tensor(np.concatenate([parts[j] for j in range(folds) if j != k]))
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        total = 0.0
        for rows in rest[torch.randperm(len(rest))].split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"fold {k} epoch {epoch} loss {total / len(rest):.6f}")
    with torch.no_grad():
        scores.append((model(x[held_out]).argmax(1) == y[held_out]).float().mean().item())
print("folds:", " ".join(f"{s:.3f}" for s in scores))
print(f"result: {np.mean(scores):.4f}")
