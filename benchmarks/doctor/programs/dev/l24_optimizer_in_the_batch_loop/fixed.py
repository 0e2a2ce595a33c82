import math
import torch
import torch.nn.functional as F

torch.manual_seed(47)

# Friedman's function of five variables and five useless ones
def friedman(n):
    x = torch.rand(n, 10)
    y = 10 * torch.sin(math.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, (y - 14.4) / 4.9


x_train, y_train = friedman(2000)
x_valid, y_valid = friedman(500)

w1 = torch.randn(10, 64) * (2 / 10) ** 0.5
b1 = torch.zeros(64)
w2 = torch.randn(64, 1) * (1 / 64) ** 0.5
b2 = torch.zeros(1)
params = [w1, b1, w2, b2]
for p in params:
    p.requires_grad_()


def predict(x):
    return (F.relu(x @ w1 + b1) @ w2 + b2).squeeze(1)


optimizer = torch.optim.SGD(params, lr=0.02, momentum=0.9)
for epoch in range(8):
    loss_sum = 0.0
    for chunk in torch.randperm(2000).split(50):
        loss = F.mse_loss(predict(x_train[chunk]), y_train[chunk])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    print(f"{epoch}: {loss_sum / 40:.6f}")

with torch.no_grad():
    mse = F.mse_loss(predict(x_valid), y_valid)
print(f"result: {(1 - mse / y_valid.var(unbiased=False)).item():.4f}")
