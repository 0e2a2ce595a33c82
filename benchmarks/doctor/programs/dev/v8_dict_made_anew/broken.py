import torch
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.rand(1500, 6) * 2 - 1
y = (x[:, 0] * x[:, 1] + x[:, 2]).unsqueeze(1)
P = {"w1": torch.full((32, 6), 0.1), "b1": torch.zeros(32), "w2": torch.full((1, 32), 0.1), "b2": torch.zeros(1)}
P = {k: v.requires_grad_(True) for k, v in P.items()}


def f(v, P):
    return F.linear(F.relu(F.linear(v, P["w1"], P["b1"])), P["w2"], P["b2"])


for step in range(400):
    rows = torch.randint(1200, (50,))
    g = torch.autograd.grad(F.mse_loss(f(x[rows], P), y[rows]), list(P.values()))
    P = {k: (v - 0.1 * d).detach().requires_grad_() for (k, v), d in zip(P.items(), g)}
with torch.no_grad():
    print(f"result: {1 - F.mse_loss(f(x[1200:], P), y[1200:]) / y[1200:].var():.4f}")
