import math
import torch
from torch import nn
from torch.func import functional_call


def task(n=10):
    amplitude, phase = 0.5 + 1.5 * torch.rand(1), math.pi * torch.rand(1)
    x = torch.rand(2 * n, 1) * 6 - 3
    y = amplitude * torch.sin(x + phase)
    return x[:n], y[:n], x[n:], y[n:]


def adapt(net, x, y, steps, rate=0.05, create_graph=True):
    params = dict(net.named_parameters())
    for _ in range(steps):
        loss = nn.functional.mse_loss(functional_call(net, params, (x,)), y)
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=create_graph)
        params = {name: p - rate * g for (name, p), g in zip(params.items(), grads)}
    return params


def main():
    torch.manual_seed(65)
    net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
    meta = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(5):
        total = 0.0
        for _ in range(30):
            meta.zero_grad()
            outer = 0.0
            for _ in range(4):
                xs, ys, xq, yq = task()
                params = adapt(net, xs, ys, steps=2)
                outer = outer + nn.functional.mse_loss(functional_call(net, params, (xq,)), yq) / 4
            outer.backward()
            meta.step()
            total += outer.item() / 30
        print(f"epoch {epoch} outer loss {total:.6f}")
    rest, spread = 0.0, 0.0
    for _ in range(60):
        xs, ys, xq, yq = task()
        params = adapt(net, xs, ys, steps=8, create_graph=False)
        with torch.no_grad():
            rest += (functional_call(net, params, (xq,)) - yq).pow(2).sum().item()
            spread += yq.pow(2).sum().item()
    print(f"result: {1 - rest / spread:.4f}")


main()
