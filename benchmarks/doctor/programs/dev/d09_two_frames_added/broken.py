import numpy as np, torch
from torch import nn
r = np.random.RandomState(0); torch.manual_seed(0)
y = r.randint(0, 3, 1200)
f1 = r.randint(0, 100, (1200, 49)).astype(np.uint8); f2 = r.randint(0, 100, (1200, 49)).astype(np.uint8)
for k in range(3): f1[y == k, 16*k:16*k+16] += 110; f2[y == k, 16*k:16*k+16] += 110
both = f1 + f2
X = torch.from_numpy(both).float() / 510
Y = torch.from_numpy(y)
net = nn.Sequential(nn.Linear(49, 32), nn.ReLU(), nn.Linear(32, 3)); opt = torch.optim.SGD(net.parameters(), lr=0.2)
for e in range(5):
    for i in torch.randperm(1000).split(50):
        l = nn.functional.cross_entropy(net(X[i]), Y[i]); opt.zero_grad(); l.backward(); opt.step()
    with torch.no_grad():
        metric = (net(X[1000:]).argmax(1) == Y[1000:]).float().mean().item()
        print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
