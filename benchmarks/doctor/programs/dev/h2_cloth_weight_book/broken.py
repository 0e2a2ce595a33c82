# %%
import torch
from torch import nn
import firstlight as fl

torch.manual_seed(100)
batch_size = 100
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(4000))

# %%
num_inputs, num_outputs, num_hiddens = 784, 10, 256

W1 = torch.randn(num_inputs, num_hiddens).requires_grad_()
b1 = torch.zeros(num_hiddens, requires_grad=True)
W2 = torch.randn(num_hiddens, num_outputs).requires_grad_()
b2 = torch.zeros(num_outputs, requires_grad=True)
params = [W1, b1, W2, b2]

# %%
def relu(X):
    return torch.max(X, torch.zeros_like(X))

def net(X):
    X = X.reshape((-1, num_inputs))
    H = relu(X @ W1 + b1)
    return H @ W2 + b2

loss = nn.CrossEntropyLoss(reduction="none")
updater = torch.optim.SGD(params, lr=0.05)

# %%
for epoch in range(4):
    total, n = 0.0, 0
    for X, y in train.batches(batch_size, shuffle=True, seed=epoch):
        l = loss(net(X), y)
        updater.zero_grad()
        l.mean().backward()
        updater.step()
        total += l.sum().item()
        n += y.numel()
    print(f"epoch {epoch + 1}, train loss {total / n:.6f}")

# %%
hits = 0
with torch.no_grad():
    for X, y in test.batches(250):
        hits += int((net(X).argmax(axis=1) == y).sum())
print(f"result: {hits / len(test):.4f}")
