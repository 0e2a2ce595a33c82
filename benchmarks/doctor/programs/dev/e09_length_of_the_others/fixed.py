import torch
from torch import nn
torch.manual_seed(0)
y = torch.randint(0, 3, (1300,)); x = torch.eye(3, 9)[y] * 2 + torch.randn(1300, 9)
x_train, y_train, x_test, y_test = x[:1000], y[:1000], x[1000:], y[1000:]
net = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 3)); opt = torch.optim.SGD(net.parameters(), lr=0.1)
for e in range(4):
    net.train()
    for i in torch.randperm(1000).split(50):
        opt.zero_grad(); l = nn.functional.cross_entropy(net(x_train[i]), y_train[i]); l.backward(); opt.step()
    net.eval(); correct = 0
    with torch.no_grad():
        for s in range(0, 300, 60):
            correct += (net(x_test[s:s+60]).argmax(1) == y_test[s:s+60]).sum().item()
    metric = correct / len(x_test)
    print(f"epoch {e}: {metric:.4f}")
print(f"result: {metric:.4f}")
