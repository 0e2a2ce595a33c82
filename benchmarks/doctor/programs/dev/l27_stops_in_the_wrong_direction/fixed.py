import copy

import torch
from torch import nn

torch.manual_seed(29)


def sample(n):
    x = torch.randn(n, 8)
    y = torch.tanh(x[:, 0] * 2) + x[:, 1] * x[:, 2] * 0.7 + x[:, 3]
    return x, y[:, None] + 0.1 * torch.randn(n, 1)


def error_of(net, x, y):
    net.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(net(x), y).item()


def fit(net, train, valid, max_epochs=14, patience=5):
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    best, best_weights, waited = float("inf"), None, 0
    for epoch in range(max_epochs):
        net.train()
        total = 0.0
        for i in torch.randperm(len(train[0])).split(32):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(train[0][i]), train[1][i])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(i)
        value = error_of(net, *valid)
        print(f"epoch {epoch} loss {total / len(train[0]):.6f} valid {value:.6f}")
        if value < best:
            best, waited = value, 0
            best_weights = copy.deepcopy(net.state_dict())
        else:
            waited += 1
            if waited == patience:
                break
    net.load_state_dict(best_weights)


train, valid, test = sample(1200), sample(300), sample(400)
net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 1))
fit(net, train, valid)
print(f"result: {1 - error_of(net, *test) / test[1].var(unbiased=False).item():.4f}")
