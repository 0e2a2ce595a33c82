"""A small trainer around a multilayer perceptron on clothes."""
import firstlight as fl
import torch
from torch import nn


class Trainer:
    def __init__(self, model, lr, epochs):
        self.model = model
        self.epochs = epochs
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss_fn = nn.CrossEntropyLoss()

    def fit(self, train, val):
        for epoch in range(self.epochs):
            self.model.train()
            running, seen = 0.0, 0
            for xb, yb in train:
                loss = self.loss_fn(self.model(xb), yb)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                running += loss.item() * len(yb)
                seen += len(yb)
            print(f"epoch {epoch}: loss {running / seen:.6f}  val {self.evaluate(val):.4f}")

    @torch.no_grad()
    def evaluate(self, batches):
        self.model.eval()
        right, seen = 0, 0
        for xb, yb in batches:
            right += (self.model(xb).argmax(1) == yb).sum().item()
            seen += len(yb)
        return right / seen


torch.manual_seed(3)
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(2500))
test = test.subset(range(800))

mlp = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
trainer = Trainer(mlp, lr=5e-4, epochs=3)
trainer.fit(train.batches(100, shuffle=True), test.batches(200))
print(f"result: {trainer.evaluate(test.batches(200)):.4f}")
