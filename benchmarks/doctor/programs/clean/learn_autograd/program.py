# %%
import math
import torch

torch.manual_seed(5)
x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)
held_out = torch.arange(2000) % 5 == 2

# %%
a = torch.randn((), requires_grad=True)
b = torch.randn((), requires_grad=True)
c = torch.randn((), requires_grad=True)
d = torch.randn((), requires_grad=True)

# %%
learning_rate = 1e-6
xt, yt = x[~held_out], y[~held_out]
for t in range(2500):
    y_pred = a + b * xt + c * xt ** 2 + d * xt ** 3
    loss = (y_pred - yt).pow(2).sum()
    if t % 500 == 499:
        print(t, f"{loss.item():.6f}")
    loss.backward()
    with torch.no_grad():
        a -= learning_rate * a.grad
        b -= learning_rate * b.grad
        c -= learning_rate * c.grad
        d -= learning_rate * d.grad
        a.grad = None
        b.grad = None
        c.grad = None
        d.grad = None

# %%
with torch.no_grad():
    x_test, y_test = x[held_out], y[held_out]
    rest = y_test - (a + b * x_test + c * x_test ** 2 + d * x_test ** 3)
print(f"result: {1 - (rest.pow(2).mean() / y_test.var()).item():.4f}")
