import numpy as np
import torch

np.random.seed(7)
torch.manual_seed(7)
n = 500
points, kinds = [], []
for k in range(3):
    r = np.linspace(0.1, 1, n)
    t = np.linspace(k * 2.1, k * 2.1 + 3.5, n) + np.random.randn(n) * 0.12
    points.append(np.stack([r * np.sin(t), r * np.cos(t)], axis=1))
    kinds.append(np.full(n, k))
points = torch.tensor(np.concatenate(points), dtype=torch.float32)
kinds = torch.tensor(np.concatenate(kinds), dtype=torch.long)
perm = torch.randperm(len(points))
points, kinds = points[perm], kinds[perm]
xtr, ytr, xte, yte = points[:1200], kinds[:1200], points[1200:], kinds[1200:]

net = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))
opt = torch.optim.RMSprop(net.parameters(), lr=0.003)
for epoch in range(30):
    order = torch.randperm(1200)
    acc_loss = 0.0
    for b in range(0, 1200, 60):
        idx = order[b:b + 60]
        loss = torch.nn.functional.cross_entropy(net(xtr[idx]), ytr[idx])
        loss.backward()
        opt.step()
        acc_loss += loss.item()
        opt.zero_grad()
    if epoch % 5 == 4:
        print("epoch %d loss %.6f" % (epoch + 1, acc_loss / 20))

with torch.no_grad():
    guess = net(xte).max(dim=1).indices
print("result: %.4f" % (guess.eq(yte).float().mean().item()))
