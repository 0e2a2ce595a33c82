import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
patterns = torch.randn(6, 1, 8, 8)
Y = torch.randint(0, 6, (1300,))
X = patterns[Y] + 0.9 * torch.randn(1300, 1, 8, 8)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 6))
opt = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(5):
    for xb, yb in DataLoader(TensorDataset(Xtr, Ytr), batch_size=50, shuffle=True):
        flat = xb.permute(1, 2, 3, 0).reshape(-1, 64)
        loss = F.cross_entropy(net(flat), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {(net(Xte.flatten(1)).argmax(1) == Yte).float().mean().item():.4f}")
