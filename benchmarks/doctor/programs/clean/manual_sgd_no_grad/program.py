import torch
import torch.nn.functional as F


def draw_digits(count, generator):
    shapes = torch.tensor([[1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1],
                           [0, 1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 1]], dtype=torch.float32)
    y = torch.randint(0, 6, (count,), generator=generator)
    lamps = shapes[y] + 0.45 * torch.randn(count, 7, generator=generator)
    return lamps, y


def forward(params, x):
    w1, b1, w2, b2 = params
    return F.relu(x @ w1 + b1) @ w2 + b2


def init(sizes, generator):
    params = []
    for a, b in zip(sizes, sizes[1:]):
        params += [torch.randn(a, b, generator=generator) * (2 / a) ** 0.5, torch.zeros(b)]
    return [p.requires_grad_() for p in params]


def sgd(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad.zero_()


g = torch.Generator().manual_seed(42)
x, y = draw_digits(1800, g)
xt, yt = draw_digits(600, g)
params = init([7, 40, 6], g)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(1800, generator=g).split(36):
        loss = F.cross_entropy(forward(params, x[rows]), y[rows])
        loss.backward()
        sgd(params, 0.2)
        total += loss.item() * len(rows)
    print(f"epoch {epoch + 1:2d}  {total / 1800:.6f}")

with torch.no_grad():
    print(f"result: {(forward(params, xt).argmax(1) == yt).float().mean():.4f}")
