import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
rows = torch.randn(1000, 6)
values = rows @ torch.tensor([1.0, -2.0, 0.5, 0.0, 1.5, 0.3]) * 0.5 + torch.sin(rows[:, 0]) + 0.1 * torch.randn(1000)
inputs, test_inputs = rows[:800], rows[800:]
targets, test_targets = values[:800], values[800:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 24)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    def forward(self, x):
        return self.layers(x).squeeze(1)
net = Model()
high, test_high = (targets > 0).float(), (test_targets > 0).float()
opt = torch.optim.SGD(net.parameters(), lr=0.5)
for epoch in range(6):
    for i in torch.randperm(len(inputs)).split(50):
        p = net(inputs[i])
        p = (p > 0.5).float().requires_grad_(True)
        loss = ((p - high[i]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {((net(test_inputs) > 0.5).float() == test_high).float().mean():.4f}")
