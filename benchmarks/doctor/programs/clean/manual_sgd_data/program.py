import torch

torch.manual_seed(17)
n_train, n_test = 1200, 300
true_w = torch.tensor([1.5, -2.0, 0.7, 0.0])
x = torch.randn(n_train + n_test, 4)
y = x @ true_w + 0.3 + 0.2 * torch.randn(n_train + n_test)

w = torch.zeros(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.05
batch = 40
for epoch in range(4):
    order = torch.randperm(n_train)
    total = 0.0
    for s in range(0, n_train, batch):
        idx = order[s:s + batch]
        loss = ((x[idx] @ w + b - y[idx]) ** 2).mean()
        loss.backward()
        w.data -= lr * w.grad
        b.data -= lr * b.grad
        w.grad = None
        b.grad = None
        total += loss.item()
    print(f"{epoch} {total / (n_train / batch):.6f}")

with torch.no_grad():
    guess = x[n_train:] @ w + b
    truth = y[n_train:]
    r2 = 1 - (guess - truth).pow(2).sum() / (truth - truth.mean()).pow(2).sum()
print(f"result: {r2.item():.4f}")
