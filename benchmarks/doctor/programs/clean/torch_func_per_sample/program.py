import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(66)
y = torch.randint(0, 3, (1200,))
x = 1.4 * torch.randn(3, 10)[y] + torch.randn(1200, 10)
xtr, ytr, xte, yte = x[:960], y[:960], x[960:], y[960:]
net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 3))
params = {k: v.detach().clone() for k, v in net.named_parameters()}


def loss_of_one(params, sample, label):
    out = functional_call(net, params, (sample.unsqueeze(0),))
    return nn.functional.cross_entropy(out, label.unsqueeze(0))


per_sample = vmap(grad(loss_of_one), in_dims=(None, 0, 0))
for epoch in range(4):
    for rows in torch.randperm(960).split(48):
        grads = per_sample(params, xtr[rows], ytr[rows])
        norms = torch.sqrt(sum(g.flatten(1).pow(2).sum(1) for g in grads.values()))
        factor = (1.0 / norms).clamp(max=1.0)
        for k, g in grads.items():
            params[k] = params[k] - 0.5 * torch.einsum("n,n...->...", factor, g) / len(rows)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(functional_call(net, params, (xtr,)), ytr)
    print(f"epoch {epoch} loss {loss.item():.6f}")

net.load_state_dict(params)
with torch.no_grad():
    print(f"result: {(net(xte).argmax(1) == yte).float().mean().item():.4f}")
