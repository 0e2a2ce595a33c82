import os
import tempfile

import torch
from torch import nn

import firstlight as fl

torch.manual_seed(31)
train, test = fl.load("fashion_mnist_small")


def backbone():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())


class Full(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = backbone()
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.backbone(x))


def fit(model, data, epochs, lr):
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        losses = []
        for x, y in data.batches(40, shuffle=True):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: {sum(losses) / len(losses):.6f}")


def accuracy(model, data):
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in data.batches(400)) / len(data)


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "pretrained.pt")

    big = Full()
    fit(big, train.subset(range(3000)), epochs=3, lr=1e-3)
    torch.save(big.state_dict(), path)

    # a few new pictures only, starting from the saved backbone
    small = backbone()
    weights = torch.load(path, weights_only=True)
    small.load_state_dict(weights, strict=False)

model = nn.Sequential(small, nn.Linear(32, 10))
fit(model, train.subset(range(5000, 5500)), epochs=8, lr=1e-3)
print(f"result: {accuracy(model, test):.4f}")
