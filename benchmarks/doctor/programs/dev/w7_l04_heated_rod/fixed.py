# %%
import math

import torch
from torch import nn

torch.manual_seed(6)

# %%
# rod with a heat source: u''(x) = -f(x), u(0) = u(1) = 0
def source(x):
    return (math.pi ** 2) * torch.sin(math.pi * x) + 2 * (3 * math.pi) ** 2 * 0.1 * torch.sin(3 * math.pi * x)


def exact(x):
    return torch.sin(math.pi * x) + 0.2 * torch.sin(3 * math.pi * x)


interior = torch.rand(128, 1).requires_grad_(True)
ends = torch.tensor([[0.0], [1.0]])

# %%
class Rod(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.inner(2 * x - 1)


rod = Rod()
solver = torch.optim.LBFGS(rod.parameters(), max_iter=4, history_size=20, line_search_fn="strong_wolfe")

# %%
def equation_error(x):
    u = rod(x)
    du, = torch.autograd.grad(u.sum(), x, create_graph=True)
    ddu, = torch.autograd.grad(du.sum(), x, create_graph=True)
    return (ddu + source(x)).square().mean()


def closure():
    solver.zero_grad()
    loss = equation_error(interior) + 100.0 * rod(ends).square().mean()
    loss.backward()
    return loss

# %%
history = []
for sweep in range(100):
    history.append(solver.step(closure).item())
    if sweep % 25 == 24:
        print(sweep + 1, round(history[-1], 5))

# %%
rod.eval()
x_new = torch.linspace(0.0, 1.0, 501).unsqueeze(1)
with torch.no_grad():
    gap = (rod(x_new) - exact(x_new)).abs().mean().item()
print(f"result: {gap:.4f}")
