import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(4):
    for rows in torch.randperm(900).split(30):
        opt.zero_grad()
        loss = F.cross_entropy(y_train[rows], net(x_train[rows]))
        loss.backward()
        opt.step()
    print(epoch, loss.item())

with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == y_test).float().mean():.4f}")
