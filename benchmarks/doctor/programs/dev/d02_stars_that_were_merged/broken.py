import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
stars = torch.randint(1, 6, (1500,))
X = torch.eye(5, 15)[stars - 1] * 4 + torch.randn(1500, 15)
y = stars.clamp(max=4)
train = TensorDataset(X[:1200], y[:1200]); test = TensorDataset(X[1200:], stars[1200:] - 1)
dl = DataLoader(train, 64, shuffle=True)
m = nn.Sequential(nn.Linear(15, 32), nn.ReLU(), nn.Linear(32, 5))
o = torch.optim.Adam(m.parameters(), 2e-3)
for ep in range(5):
    m.train()
    for a, b in dl:
        o.zero_grad()
        L = nn.functional.cross_entropy(m(a), b)
        L.backward(); o.step()
    m.eval()
    with torch.no_grad():
        hits = sum((m(a).argmax(1) == b).sum().item() for a, b in DataLoader(test, 100))
    metric = hits / 300
    print(f"epoch {ep}: loss {L.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
