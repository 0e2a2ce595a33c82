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
        self.fc = nn.Linear(6, 4)
        self.criterion = nn.CrossEntropyLoss()
        self.opt = torch.optim.SGD(self.fc.parameters(), lr=0.1)
    def learn(self, x, y):
        self.opt.zero_grad()
        value = self.criterion(self.fc(x), y)
        value.backward()
        self.opt.step()
        return value.item()
t = Net()
for epoch in range(4):
    print(epoch, sum(t.learn(x_train[i:i+30], y_train[i:i+30]) for i in range(0, 900, 30)))
with torch.no_grad():
    print(f"result: {(t.fc(x_test).argmax(1) == y_test).float().mean():.4f}")
