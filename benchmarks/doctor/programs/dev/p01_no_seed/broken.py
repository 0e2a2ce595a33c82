import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def half_planes(n):
    x = torch.randn(n, 2) * 2
    y = (x[:, 0] > 0).long() + 2 * (x[:, 1] > x[:, 0]).long()
    return TensorDataset(x, y)


def fit(net, dataset, epochs):
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        net.train()
        losses = []
        for x, y in DataLoader(dataset, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f}")


def accuracy(net, dataset):
    net.eval()
    good = 0
    with torch.no_grad():
        for x, y in DataLoader(dataset, batch_size=250):
            good += (net(x).argmax(1) == y).sum().item()
    return good / len(dataset)


train_set, test_set = half_planes(1600), half_planes(500)
net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 4))
fit(net, train_set, epochs=4)
print(f"result: {accuracy(net, test_set):.4f}")
