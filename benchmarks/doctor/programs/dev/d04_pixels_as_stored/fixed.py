import firstlight as fl
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 96)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(96, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(self.drop(x))


class Experiment:
    """Trains on the raw arrays of a dataset."""

    def __init__(self, train, test, limit=3000):
        self.x = self.pixels(train.inputs[:limit])
        self.y = train.labels[:limit]
        self.x_test = self.pixels(test.inputs[:1000])
        self.y_test = test.labels[:1000]
        self.net = Net()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.criterion = nn.CrossEntropyLoss()

    @staticmethod
    def pixels(stored):
        return stored.float() / 255

    def fit(self, epochs=4, batch=64):
        for epoch in range(epochs):
            self.net.train()
            running = 0.0
            order = torch.randperm(len(self.x))
            for i in range(0, len(order), batch):
                take = order[i:i + batch]
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(self.x[take]), self.y[take])
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(take)
            print(f"epoch {epoch + 1} loss {running / len(order):.6f}")

    def evaluate(self):
        self.net.eval()
        correct = 0
        with torch.no_grad():
            for xb, yb in zip(self.x_test.split(100), self.y_test.split(100)):
                correct += (self.net(xb).argmax(1) == yb).sum().item()
        return correct / len(self.y_test)


torch.manual_seed(0)
experiment = Experiment(*fl.load("fashion_mnist_small"))
experiment.fit()
print(f"result: {experiment.evaluate():.4f}")
