import numpy as np
import torch
from torch import nn


def measurements(n, rng):
    x = rng.normal(size=(n, 9))
    y = np.sin(x[:, 0]) * 2 + x[:, 1] ** 2 / 2 - x[:, 2] * x[:, 3] / 2
    return torch.from_numpy(x), torch.from_numpy(y).unsqueeze(1)


def network():
    net = nn.Sequential(nn.Linear(9, 64), nn.Softplus(), nn.Linear(64, 1))
    return net.double()


def train(net, x, y, epochs=6, size=40):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for epoch in range(epochs):
        net.train()
        for i in torch.randperm(len(x)).split(size):
            loss = nn.functional.mse_loss(net(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        steps = len(x) // size
        print(f"epoch {epoch} loss {float(sum(losses[-steps:])) / steps:.6f}")
    return losses


rng = np.random.default_rng(22)
torch.manual_seed(22)
x, y = measurements(1600, rng)
x_test, y_test = measurements(400, rng)
net = network()
train(net, x, y)
net.eval()
with torch.no_grad():
    rest = (net(x_test) - y_test).pow(2).mean() / y_test.var(unbiased=False)
print(f"result: {1 - rest.item():.4f}")
