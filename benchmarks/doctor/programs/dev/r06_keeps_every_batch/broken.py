import firstlight as fl
import torch
from torch import nn


class History:
    def __init__(self):
        self.losses = []
        self.seen = []

    def add(self, loss, images, labels):
        self.losses.append(loss)
        self.seen.append((images.clone(), labels.clone()))

    def summary(self, last):
        return sum(self.losses[-last:]) / last


class SmallConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 4, stride=4)
        self.head = nn.Linear(6 * 49, 10)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


class Training:
    def __init__(self, epochs):
        self.epochs = epochs
        self.net = SmallConv()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=3e-3)
        self.history = History()

    def run(self, batches):
        for epoch in range(self.epochs):
            self.net.train()
            for images, labels in batches:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(images), labels)
                loss.backward()
                self.optimizer.step()
                self.history.add(loss.item(), images, labels)
            print(f"epoch {epoch} loss {self.history.summary(len(batches)):.6f}")

    @torch.no_grad()
    def accuracy(self, data):
        self.net.eval()
        return sum((self.net(x).argmax(1) == y).sum().item() for x, y in data.batches(300)) / len(data)


torch.manual_seed(26)
train, test = fl.load("fashion_mnist_small")
training = Training(epochs=3)
training.run(train.subset(range(3000)).batches(60, shuffle=True))
print(f"result: {training.accuracy(test.subset(range(900))):.4f}")
