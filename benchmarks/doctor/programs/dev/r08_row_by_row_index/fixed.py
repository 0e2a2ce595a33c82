import torch
from torch import nn

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
crit = nn.CrossEntropyLoss()
for epoch in range(3):
    for start in range(0, 900, 30):
        opt.zero_grad()
        loss = 0
        loss = crit(net(x_train[start:start + 30]), y_train[start:start + 30])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == y_test).float().mean():.4f}")
