import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=30, shuffle=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=100)
net.train()
for epoch in range(5):
    for x, y in train_loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
net.eval()
good = n = 0
with torch.no_grad():
    for x, y in test_loader:
        good += (net(x).argmax(1) == y).sum().item()
        n += len(y)
print(f"result: {good / n:.4f}")
