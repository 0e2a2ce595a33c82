import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(29)
X = torch.rand(1400, 7) * 2 - 1
Y = X[:, 0] * 1.5 + torch.sin(3 * X[:, 1]) - X[:, 2] * X[:, 3] + 0.05 * torch.randn(1400)
Xtr, Ytr, Xte, Yte = X[:1100], Y[:1100], X[1100:], Y[1100:]

W1 = torch.empty(7, 24).normal_(0, 0.4).requires_grad_()
W2 = torch.empty(24, 1).normal_(0, 0.2).requires_grad_()
b1, b2 = torch.zeros(24, requires_grad=True), torch.zeros(1, requires_grad=True)
params = [W1, b1, W2, b2]
lr = 0.1
for epoch in range(12):
    perm = torch.randperm(1100)
    for i in range(0, 1100, 50):
        xb, yb = Xtr[perm[i:i + 50]], Ytr[perm[i:i + 50]]
        out = torch.tanh(xb @ W1 + b1) @ W2 + b2
        loss = F.mse_loss(out[:, 0], yb)
        for p in params: p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
    print(epoch, loss.item())
with torch.no_grad():
    out = torch.tanh(Xte @ W1 + b1) @ W2 + b2
    print(f"result: {1 - F.mse_loss(out[:, 0], Yte).item() / Yte.var().item():.4f}")
