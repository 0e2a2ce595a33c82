import torch
from torch import nn

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 32), nn.ReLU())
        self.mid = nn.Linear(32, 16)
        self.head = nn.Linear(16, 4)
    def forward(self, x):
        h = self.enc(x)
        return self.head(torch.relu(self.mid(h)))
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(5):
    for rows in torch.randperm(900).split(30):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x_train[rows]), y_train[rows])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == y_test).float().mean():.4f}")
