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
w = torch.zeros(6, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1
for epoch in range(10):
    for i in range(0, len(inputs), 100):
        x, y = inputs[i:i + 100], targets[i:i + 100]
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p = p - lr * p.grad
        w.grad = b.grad = None
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {-((test_inputs @ w + b - test_targets) ** 2).mean().item():.4f}")
