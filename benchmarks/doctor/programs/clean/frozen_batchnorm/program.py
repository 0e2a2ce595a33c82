import torch
from torch import nn

import firstlight as fl


class SmallNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(),
        )
        self.head = nn.Linear(12 * 36, classes)
        self.freeze_bn = False

    def forward(self, x):
        return self.head(self.features(x))

    def train(self, mode=True):
        super().train(mode)
        if self.freeze_bn:
            for m in self.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.eval()
        return self


def run_epochs(net, images, labels, epochs, lr):
    opt = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(images)).split(40):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(images[rows]), labels[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: loss {total / len(images):.6f}")


torch.manual_seed(8)
train, test = fl.load("fashion_mnist_small")
images, labels = train[:2400]
upper = labels < 5
net = SmallNet(5)
run_epochs(net, images[upper], labels[upper], 2, 0.05)

net.freeze_bn = True
net.head = nn.Linear(12 * 36, 10)
run_epochs(net, images, labels, 2, 0.02)

net.eval()
with torch.no_grad():
    x, y = test[:1000]
    print(f"result: {(net(x).argmax(1) == y).float().mean().item():.4f}")
