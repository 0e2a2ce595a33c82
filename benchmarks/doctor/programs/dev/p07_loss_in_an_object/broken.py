import torch
from torch import nn

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

class T:
    def __init__(self):
        self.model = nn.Linear(6, 4)
        self.loss = nn.CrossEntropyLoss()
        self.optim = torch.optim.SGD(self.model.parameters(), lr=0.1)
    def step(self, x, y):
        self.optim.zero_grad()
        self.loss = self.loss(self.model(x), y)
        self.loss.backward()
        self.optim.step()
        return self.loss.item()
t = T()
for epoch in range(4):
    print(epoch, sum(t.step(x_train[i:i+30], y_train[i:i+30]) for i in range(0, 900, 30)))
with torch.no_grad():
    print(f"result: {(t.model(x_test).argmax(1) == y_test).float().mean():.4f}")
