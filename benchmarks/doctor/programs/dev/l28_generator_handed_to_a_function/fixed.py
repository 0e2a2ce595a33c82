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
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
def train_epoch(model, data):
    total = 0.0
    for x, y in data:
        loss = F.mse_loss(model(x).flatten(), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    return total
def main():
    for epoch in range(8):
        data = ((inputs[i], targets[i]) for i in torch.randperm(800).split(10))
        print(train_epoch(net, data))
main()
net.eval()
with torch.no_grad():
    print(f"result: {-F.mse_loss(net(test_inputs).flatten(), test_targets).item():.4f}")
