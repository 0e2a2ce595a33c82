import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(78)
n = 1281
y = torch.randint(0, 5, (n + 321,))
x = (torch.randn(5, 15) * 1.2)[y] + torch.randn(n + 321, 15)
train_ds, test_ds = TensorDataset(x[:n], y[:n]), TensorDataset(x[n:], y[n:])
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True, drop_last=True)
test_dl = DataLoader(test_ds, batch_size=64)

net = nn.Sequential(nn.Linear(15, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 5))
opt = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(5):
    net.train()
    total, seen = 0.0, 0
    for xb, yb in train_dl:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
        seen += len(xb)
    print(f"epoch {epoch} loss {total / seen:.6f}")

net.eval()
correct = 0
with torch.no_grad():
    for xb, yb in test_dl:
        correct += (net(xb).argmax(1) == yb).sum().item()
print(f"result: {correct / len(test_ds):.4f}")
