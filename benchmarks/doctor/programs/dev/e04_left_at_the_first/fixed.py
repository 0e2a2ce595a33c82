import torch
from torch import nn
from torch.utils.data import TensorDataset, DataLoader
torch.manual_seed(0)
y = torch.randint(0, 3, (1220,)); x = torch.eye(3, 9)[y] * 2 + torch.randn(1220, 9)
tr, te = DataLoader(TensorDataset(x[:1000], y[:1000]), 50, shuffle=True), DataLoader(TensorDataset(x[1000:], y[1000:]), 50)
net = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 3)); opt = torch.optim.SGD(net.parameters(), lr=0.1)
def evaluate(loader):
    net.eval(); scores = []
    with torch.no_grad():
        for a, b in loader:
            scores.append((net(a).argmax(1) == b).float())
    return torch.cat(scores).mean().item()
for e in range(4):
    net.train()
    for a, b in tr:
        opt.zero_grad(); l = nn.functional.cross_entropy(net(a), b); l.backward(); opt.step()
    metric = evaluate(te)
    print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
