import math

import torch
import torch.nn.functional as F

torch.manual_seed(2)

# three arms of a spiral, as in the lecture notes
N, K = 600, 3
r = torch.linspace(0.05, 1, N).repeat(K)
arm = torch.arange(K).repeat_interleave(N)
angle = 4 * r + arm * (2 * math.pi / K) + 0.18 * torch.randn(N * K)
X = 2 * torch.stack([r * torch.sin(angle), r * torch.cos(angle)], dim=1)
shuffled = torch.randperm(N * K)
X, y = X[shuffled], arm[shuffled]
Xtr, ytr, Xte, yte = X[:1400], y[:1400], X[1400:], y[1400:]

# parameters of two hidden layers and the output
H = 100
W1 = torch.zeros(2, H).requires_grad_()
b1 = torch.zeros(H, requires_grad=True)
W2 = torch.zeros(H, H).requires_grad_()
b2 = torch.zeros(H, requires_grad=True)
W3 = torch.zeros(H, K).requires_grad_()
b3 = torch.zeros(K, requires_grad=True)
params = [W1, b1, W2, b2, W3, b3]

step_size = 0.15
reg = 1e-4


def scores(x):
    h = torch.tanh(x @ W1 + b1)
    h = torch.tanh(h @ W2 + b2)
    return h @ W3 + b3


for i in range(120):
    total = 0.0
    for rows in torch.randperm(len(Xtr)).split(70):
        data_loss = F.cross_entropy(scores(Xtr[rows]), ytr[rows])
        reg_loss = 0.5 * reg * ((W1 * W1).sum() + (W2 * W2).sum() + (W3 * W3).sum())
        loss = data_loss + reg_loss
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= step_size * g
        total += data_loss.item() * len(rows)
    if i % 10 == 9:
        print("iteration %d: loss %.6f" % (i + 1, total / len(Xtr)))

with torch.no_grad():
    predicted = torch.argmax(scores(Xte), dim=1)
print("result: %.4f" % (predicted == yte).float().mean())
