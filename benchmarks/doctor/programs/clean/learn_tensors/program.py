import torch
import math

dtype = torch.float
device = torch.device("cpu")
torch.manual_seed(1)

x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
y = torch.sin(x)
a, b, c, d = torch.randn(4, device=device, dtype=dtype)

learning_rate = 1e-6
for t in range(2000):
    y_pred = a + b * x + c * x ** 2 + d * x ** 3
    loss = (y_pred - y).pow(2).sum().item()
    if t % 500 == 499:
        print(t, f"{loss:.6f}")
    grad_y_pred = 2.0 * (y_pred - y)
    a = a - learning_rate * grad_y_pred.sum()
    b = b - learning_rate * (grad_y_pred * x).sum()
    c = c - learning_rate * (grad_y_pred * x ** 2).sum()
    d = d - learning_rate * (grad_y_pred * x ** 3).sum()

between = (torch.rand(500) * 2 - 1) * math.pi
rest = torch.sin(between) - (a + b * between + c * between ** 2 + d * between ** 3)
print(f"result: {1 - (rest.pow(2).mean() / torch.sin(between).var()).item():.4f}")
