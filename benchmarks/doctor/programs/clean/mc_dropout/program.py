import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 64)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(64, 4)

    def forward(self, x):
        return self.fc2(self.drop(F.relu(self.fc1(x))))


def make(n):
    y = torch.randint(0, 4, (n,))
    x = torch.randn(n, 10)
    x[:, 0] += (y % 2) * 2.5
    x[:, 1] += (y // 2) * 2.5
    x[:, 2] += (y == 3) * 2.0
    return x, y


def fit(model, x, y):
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        model.train()
        s = 0.0
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
            s += loss.item() * len(i)
        print("epoch", epoch, "%.6f" % (s / len(x)))


@torch.no_grad()
def monte_carlo(model, x, passes=30):
    model.eval()
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.train()
    draws = torch.stack([F.softmax(model(x), dim=1) for _ in range(passes)])
    model.eval()
    return draws.mean(0), draws.std(0)


torch.manual_seed(6)
x, y = make(1500)
xt, yt = make(500)
model = Net()
fit(model, x, y)
mean, spread = monte_carlo(model, xt)
print("mean spread of the likeliest class: %.4f" % spread.max(1).values.mean())
print("result: %.4f" % (mean.argmax(1) == yt).float().mean())
