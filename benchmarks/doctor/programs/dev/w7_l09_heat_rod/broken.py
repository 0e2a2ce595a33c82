# %%
import math
import torch
from torch import nn

torch.manual_seed(9)
ALPHA = 0.1

# %%
class Rod(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1))

    def forward(self, x, t):
        return self.layers(torch.cat([2 * x - 1, 2 * t - 1], dim=1))

# %%
def derivative(u, v):
    return torch.autograd.grad(u, v, torch.ones_like(u), create_graph=True)[0]

def residual(net, n):
    x = torch.rand(n, 1, requires_grad=True)
    t = torch.rand(n, 1, requires_grad=True)
    u = net(x, t)
    return derivative(u, t) - ALPHA * derivative(derivative(u, x), x)

def edges(net, n):
    x, t = torch.rand(n, 1), torch.rand(n, 1)
    start = net(x, torch.zeros_like(x)) - torch.sin(math.pi * x)
    left, right = net(torch.zeros_like(t), t), net(torch.ones_like(t), t)
    return start.square().mean() + left.square().mean() + right.square().mean()

# %%
net = Rod()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=700)

# %%
for step in range(700):
    optimizer.zero_grad()
    physics = residual(net, 200).square().mean()
    border = edges(net, 64)
    loss = physics + 5.0 * border
    loss.backward(retain_graph=True)
    optimizer.step()
    schedule.step()
    if step % 100 == 0:
        print(step, f"{physics.item():.5f} {border.item():.5f}")

# %%
net.eval()
grid = torch.cartesian_prod(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41))
x, t = grid[:, :1], grid[:, 1:]
exact = torch.exp(-ALPHA * math.pi ** 2 * t) * torch.sin(math.pi * x)
with torch.no_grad():
    error = (net(x, t) - exact).norm() / exact.norm()
print(f"result: {error.item():.4f}")
