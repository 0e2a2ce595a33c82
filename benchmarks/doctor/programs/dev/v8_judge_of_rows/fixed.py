import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
c = torch.randn(5, 12) * 2
y = torch.randint(5, (1500,))
x = c[y] + torch.randn(1500, 12)
train = DataLoader(TensorDataset(x[:1200], y[:1200]), 40, shuffle=True)
test = DataLoader(TensorDataset(x[1200:], y[1200:]), 30)


class Judge:
    def __init__(self):
        self.right, self.all = [], 0

    def see(self, scores, labels):
        _, best = torch.max(scores, 1)
        for b, l in zip(best, labels):
            self.right.append(int(b) == int(l))
            self.all += 1

    @property
    def value(self):
        return sum(self.right) / self.all


net = nn.Sequential(nn.Linear(12, 40), nn.Tanh(), nn.Linear(40, 5))
opt = torch.optim.AdamW(net.parameters(), 2e-3)
for epoch in range(5):
    for a, b in train:
        opt.zero_grad()
        nn.CrossEntropyLoss()(net(a), b).backward()
        opt.step()
judge = Judge()
net.eval()
with torch.no_grad():
    for a, b in test:
        judge.see(net(a), b)
print(f"result: {judge.value:.4f}")
