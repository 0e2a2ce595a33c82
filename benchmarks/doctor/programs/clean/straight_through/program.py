import torch
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1)


class BinaryLinear(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, Sign.apply(self.weight), self.bias) / self.in_features ** 0.5


class BinaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = BinaryLinear(25, 96)
        self.b = BinaryLinear(96, 5)

    def forward(self, x):
        return self.b(Sign.apply(self.a(x)))


torch.manual_seed(67)
letters = torch.tensor([
    [1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0],
    [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    [1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1]]) * 2.0 - 1
y = torch.randint(0, 5, (1500,))
x = letters[y] + 1.6 * torch.randn(1500, 25)
net = BinaryNet()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 30:.6f}")
with torch.no_grad():
    print(f"result: {(net(x[1200:]).argmax(1) == y[1200:]).float().mean().item():.4f}")
