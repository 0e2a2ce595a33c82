from itertools import count

import torch
import torch.nn.functional as F

POLY_DEGREE = 3
torch.manual_seed(12)
W_target = torch.randn(POLY_DEGREE, 1) * 3
b_target = torch.randn(1) * 3


def make_features(x):
    """Builds features i.e. a matrix with columns [x, x^2, x^3]."""
    x = x.unsqueeze(1)
    return torch.cat([x ** i for i in range(1, POLY_DEGREE + 1)], 1)


def f(x):
    return x.mm(W_target) + b_target


def poly_desc(W, b):
    parts = [f"{w:+.2f} x^{i + 1}" for i, w in enumerate(W)]
    return "y = " + " ".join(parts) + f" {b[0]:+.2f}"


def get_batch(batch_size=32):
    x = make_features(torch.rand(batch_size) * 2 - 1)
    return x, f(x)


fc = torch.nn.Linear(POLY_DEGREE, 1)
for batch_idx in count(1):
    batch_x, batch_y = get_batch()
    fc.zero_grad()
    output = F.smooth_l1_loss(fc(batch_x), batch_y)
    loss = output.item()
    output.backward()
    for param in fc.parameters():
        param.data.add_(param.grad, alpha=-0.2)
    if batch_idx % 400 == 0:
        print(f"Loss: {loss:.6f} after {batch_idx} batches")
    if loss < 1e-3 or batch_idx >= 2000:
        break

print("==> Learned function:\t" + poly_desc(fc.weight.view(-1).detach(), fc.bias.detach()))
print("==> Actual function:\t" + poly_desc(W_target.view(-1), b_target))
x, y = get_batch(500)
with torch.no_grad():
    r2 = 1 - (fc(x) - y).pow(2).mean() / y.var()
print(f"result: {r2.item():.4f}")
