import math

import torch


def make_points(n):
    which = torch.randint(0, 3, (n,))
    r = 0.5 + which * 0.7 + 0.12 * torch.randn(n)
    a = 2 * math.pi * torch.rand(n)
    return torch.stack([r * a.cos(), r * a.sin()], dim=1), which


def init_params(n_in, n_hidden, n_out):
    w1 = torch.randn(n_in, n_hidden) / math.sqrt(n_in)
    b1 = torch.zeros(n_hidden)
    w2 = torch.randn(n_hidden, n_out) / math.sqrt(n_hidden)
    b2 = torch.zeros(n_out)
    return [p.requires_grad_() for p in (w1, b1, w2, b2)]


def net(x, params):
    w1, b1, w2, b2 = params
    return torch.relu(x @ w1 + b1) @ w2 + b2


def cross_entropy(logits, target):
    return (logits.logsumexp(1) - logits.gather(1, target[:, None]).squeeze(1)).mean()


def sgd(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad.zero_()


torch.manual_seed(33)
x, which = make_points(1500)
x_test, which_test = make_points(500)
params = init_params(2, 32, 3)

for epoch in range(12):
    losses = []
    for rows in torch.randperm(1500).split(50):
        loss = cross_entropy(net(x[rows], params), which[rows])
        loss.backward()
        sgd(params, 0.2)
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses) / len(losses):.6f}")

with torch.no_grad():
    answer = net(x_test, params).argmax(1)
print(f"result: {(answer == which_test).sum().item() / 500:.4f}")
