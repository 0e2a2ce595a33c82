import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
X = torch.randn(1300, 6)
Y = ((X[:, 0] * X[:, 1] + X[:, 2]) > 0).float()
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
def criterion(out, y):
    p = out.clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(p, y)
loader = DataLoader(TensorDataset(Xtr, Ytr), batch_size=32, shuffle=True)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    net.train()
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    print(f"epoch {epoch}: {total / len(Xtr):.6f}")
net.eval()
with torch.no_grad():
    outputs = net(Xte)
print(f"result: {((outputs.squeeze(-1) > 0).float() == Yte).float().mean().item():.4f}")

