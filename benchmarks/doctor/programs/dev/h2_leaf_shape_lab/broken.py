import torch
import torch.nn as nn
import torch.nn.functional as F


def leaf_pictures(n, seed):
    g = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 4, (n,), generator=g)
    lobes = torch.tensor([0.0, 2.0, 3.0, 5.0])[kind].view(n, 1, 1)
    turn = torch.rand(n, 1, 1, generator=g) * 6.283
    axis = torch.linspace(-1, 1, 20)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    radius = (x ** 2 + y ** 2).sqrt()
    edge = 0.6 + 0.22 * torch.cos(lobes * torch.atan2(y, x) + turn) * (lobes > 0)
    shape = torch.sigmoid((edge - radius) * 12)
    return (shape + 0.25 * torch.randn(n, 20, 20, generator=g)).unsqueeze(1), kind


class LeafNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1, stride=2)
        self.bn1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1, stride=2)
        self.bn2 = nn.BatchNorm2d(24)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(24 * 25, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(self.drop(x.flatten(1)))


class Lab:
    def __init__(self, net, lr=2e-3, batch=48):
        self.net = net
        self.batch = batch
        self.optim = torch.optim.Adam(net.parameters(), lr=lr)
        self.records = {"loss": [], "accuracy": []}

    def slices(self, x, y):
        order = torch.randperm(len(x))
        for i in range(0, len(x), self.batch):
            yield x[order[i:i + self.batch]], y[order[i:i + self.batch]]

    def measure(self, x, y):
        self.net.eval()
        with torch.no_grad():
            return (self.net(x).argmax(1) == y).float().mean().item()

    def fit(self, train, valid, epochs):
        self.net.train()
        for epoch in range(epochs):
            before = len(self.records["loss"])
            for xb, yb in self.slices(*train):
                self.optim.zero_grad()
                loss = F.cross_entropy(self.net(xb), yb)
                loss.backward()
                self.optim.step()
                self.records["loss"].append(loss)
            self.records["accuracy"].append(self.measure(*valid))
            recent = self.records["loss"][before:]
            print(f"epoch {epoch}  loss {float(sum(recent)) / len(recent):.6f}  valid {self.records['accuracy'][-1]:.3f}")


torch.manual_seed(2)
lab = Lab(LeafNet())
lab.fit(leaf_pictures(1600, 10), leaf_pictures(400, 11), epochs=7)
print(f"result: {lab.measure(*leaf_pictures(600, 12)):.4f}")
