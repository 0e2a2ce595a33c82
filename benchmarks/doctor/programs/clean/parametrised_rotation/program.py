import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import orthogonal


class Symmetric(nn.Module):
    def forward(self, w):
        return w.triu() + w.triu(1).transpose(0, 1)


class Energy(nn.Module):
    """How far from rest is the system? x'Ax after a rotation, through a small head."""

    def __init__(self, size):
        super().__init__()
        self.turn = orthogonal(nn.Linear(size, size, bias=False))
        self.form = nn.Linear(size, size, bias=False)
        parametrize.register_parametrization(self.form, "weight", Symmetric())
        self.head = nn.Linear(1, 1)

    def forward(self, x):
        z = self.turn(x)
        return self.head((z * self.form(z)).sum(1, keepdim=True))


torch.manual_seed(72)
A = torch.randn(5, 5)
A = (A + A.T) / 2
x = torch.randn(1200, 5)
y = torch.einsum("ni,ij,nj->n", x, A, x).unsqueeze(1) / 3 + 0.1 * torch.randn(1200, 1)
model = Energy(5)
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(960).split(30):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 32
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    rest = nn.functional.mse_loss(model(x[960:]), y[960:])
print(f"result: {1 - (rest / y[960:].var()).item():.4f}")
