import math

import torch
import torch.nn.functional as F

torch.manual_seed(42)

# two half circles
n = 600
angle = torch.rand(n) * math.pi
upper = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
lower = torch.stack([1 - torch.cos(angle), 0.5 - torch.sin(angle)], dim=1)
data = torch.cat([upper, lower]) + 0.12 * torch.randn(2 * n, 2)
target = torch.cat([torch.zeros(n), torch.ones(n)]).long()

shuffled = torch.randperm(2 * n)
data, target = data[shuffled], target[shuffled]
data_train, data_test = data[:1000], data[1000:]
target_train, target_test = target[:1000], target[1000:]


class MoonNet(torch.nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.inner = torch.nn.Linear(2, hidden)
        self.middle = torch.nn.Linear(hidden, hidden)
        self.outer = torch.nn.Linear(hidden, 2)

    def forward(self, x):
        x = torch.tanh(self.inner(x))
        x = torch.tanh(self.middle(x))
        return F.log_softmax(self.outer(x), dim=1)


model = MoonNet()
opt = torch.optim.RMSprop(model.parameters(), lr=0.003)

for epoch in range(12):
    batches = torch.randperm(1000).split(50)
    epoch_loss = 0
    for b in batches:
        loss = F.cross_entropy(model(data_train[b]), target_train[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        epoch_loss += loss.item()
    print("epoch %d loss %.6f" % (epoch, epoch_loss / len(batches)))

with torch.no_grad():
    missed = (model(data_test).argmax(1) != target_test).sum().item()
print("result: %.4f" % (1 - missed / len(target_test)))
