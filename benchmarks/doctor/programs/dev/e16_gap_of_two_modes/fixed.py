import firstlight as fl
import torch
from torch import nn


class Watcher:
    """Trains and tells how far the loss on new pictures lies from the loss on the training pictures."""

    def __init__(self, model, train, val):
        self.model, self.train, self.val = model, train, val
        self.optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-4)
        self.criterion = nn.CrossEntropyLoss()

    def epoch(self):
        self.model.train()
        total = 0.0
        for images, labels in self.train.batches(50, shuffle=True):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
        return total / len(self.train)

    @torch.no_grad()
    def measure(self, data):
        self.model.eval()
        total, correct = 0.0, 0
        for images, labels in data.batches(250):
            scores = self.model(images)
            total += self.criterion(scores, labels).item() * len(labels)
            correct += (scores.argmax(1) == labels).sum().item()
        return total / len(data), correct / len(data)

    def fit(self, epochs):
        accuracy = 0.0
        for epoch in range(epochs):
            train_loss = self.epoch()
            train_loss, _ = self.measure(self.train)
            val_loss, accuracy = self.measure(self.val)
            print(f"epoch {epoch}: train {train_loss:.6f} val {val_loss:.6f} gap {val_loss - train_loss:.6f}")
        return accuracy


torch.manual_seed(90)
train, test = fl.load("fashion_mnist_small")
model = nn.Sequential(
    nn.Flatten(), nn.Dropout(0.2), nn.Linear(784, 100), nn.ReLU(), nn.Dropout(0.5), nn.Linear(100, 10)
)
print(f"result: {Watcher(model, train.subset(range(2500)), test.subset(range(750))).fit(4):.4f}")
