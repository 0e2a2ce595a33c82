import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Keeper:
    """Remembers the weights with the best validation accuracy."""

    def __init__(self):
        self.best = -1.0
        self.weights = {}

    def look(self, value, net):
        if value > self.best:
            self.best = value
            self.weights = {name: w.detach().clone() for name, w in net.named_parameters()}

    def restore(self, net):
        with torch.no_grad():
            for name, w in net.named_parameters():
                w.copy_(self.weights[name])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3)
        self.fc1 = nn.Linear(16 * 36, 40)
        self.fc2 = nn.Linear(40, 6)

    def forward(self, x):
        x = torch.relu(self.conv(x)).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


def accuracy(net, loader):
    net.eval()
    correct, n = 0, 0
    with torch.no_grad():
        for x, y in loader:
            correct += (net(x).argmax(1) == y).sum().item()
            n += len(y)
    return correct / n


def main():
    torch.manual_seed(58)
    art = torch.randn(6, 1, 8, 8)
    y = torch.randint(6, (1700,))
    x = 0.35 * art[y] + torch.randn(1700, 1, 8, 8)
    parts = [DataLoader(TensorDataset(x[a:b], y[a:b]), batch_size=50, shuffle=a == 0)
             for a, b in ((0, 900), (900, 1270), (1270, 1700))]
    train, valid, test = parts
    net, keeper = Net(), Keeper()
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(8):
        net.train()
        total = 0.0
        for xb, yb in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        value = accuracy(net, valid)
        keeper.look(value, net)
        print(f"epoch {epoch} loss {total / len(train):.6f} valid {value:.4f}")
    keeper.restore(net)
    print(f"result: {accuracy(net, test):.4f}")


main()
