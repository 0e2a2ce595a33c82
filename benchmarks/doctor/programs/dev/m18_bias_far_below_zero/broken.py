import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(16)


def init(layer):
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.constant_(layer.bias, -10.0)


def checks(n):
    x = torch.rand(n, 5, 5)
    kind = torch.randint(0, 3, (n,))
    for i in range(n):
        if kind[i] == 0:
            x[i, 1::2] *= 0.5
        elif kind[i] == 1:
            x[i, :, 1::2] *= 0.5
        else:
            x[i, 1::2, ::2] *= 0.5
            x[i, ::2, 1::2] *= 0.5
    return x.flatten(1), kind


train_data = TensorDataset(*checks(1500))
test_data = TensorDataset(*checks(400))

model = nn.Sequential(nn.Linear(25, 60), nn.ReLU(), nn.Linear(60, 30), nn.ReLU(), nn.Linear(30, 3))
model.apply(init)
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
loss_fn = nn.CrossEntropyLoss()


def fit(epochs):
    for epoch in range(epochs):
        total = 0.0
        for x, kind in DataLoader(train_data, 50, shuffle=True):
            optimizer.zero_grad()
            loss = loss_fn(model(x), kind)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        print(f"{epoch:3d} {total / len(train_data):.6f}")


def score():
    good = 0
    with torch.no_grad():
        for x, kind in DataLoader(test_data, 200):
            good += int((model(x).argmax(1) == kind).sum())
    return good / len(test_data)


fit(10)
print(f"result: {score():.4f}")
