import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(99)

LAMBDA = 1e-3
EPOCHS = 8

# forest plots: 12 terrain measurements, 5 cover types
centres = torch.randn(5, 12) * 1.1


def plots(n):
    kind = torch.randint(0, 5, (n,))
    return centres[kind] + 1.2 * torch.randn(n, 12), kind


x_train, y_train = plots(1500)
x_test, y_test = plots(600)
mu, sd = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mu) / sd, (x_test - mu) / sd

net = nn.Sequential(
    nn.Linear(12, 64),
    nn.LeakyReLU(0.1),
    nn.Linear(64, 64),
    nn.LeakyReLU(0.1),
    nn.Linear(64, 5),
)
sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def l2_penalty(net):
    return sum(p.data.pow(2).sum() for p in net.parameters() if p.dim() > 1)


loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)
for epoch in range(EPOCHS):
    for xb, yb in loader:
        loss = F.cross_entropy(net(xb), yb) + LAMBDA * l2_penalty(net)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    print(f"epoch {epoch + 1}/{EPOCHS}, last loss {loss.item():.4f}")

with torch.no_grad():
    acc = (net(x_test).argmax(1) == y_test).float().mean()
print(f"result: {acc.item():.4f}")
