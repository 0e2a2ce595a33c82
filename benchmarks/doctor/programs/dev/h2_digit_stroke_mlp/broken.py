import torch
import torch.nn.functional as F
from torch import nn

import firstlight as fl


class DeepNet(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(sizes[:-1], sizes[1:])
        )

    def forward(self, x):
        x = x.flatten(start_dim=1)
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class Learner:
    def __init__(self, model, lr, momentum=0.9):
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
        self.history = []

    def step(self, x, y):
        self.opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.opt.step()
        return loss.item()

    def learn(self, data, epochs, size):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.step(x, y) for x, y in data.batches(size, shuffle=True, seed=epoch)]
            self.history.append(sum(losses) / len(losses))
            print(f"epoch {epoch}: {self.history[-1]:.6f}")

    def accuracy(self, data):
        self.model.eval()
        with torch.no_grad():
            good = sum(int((self.model(x).argmax(1) == y).sum()) for x, y in data.batches(500))
        return good / len(data)


torch.manual_seed(8)
train, test = fl.load("fashion_mnist_small")
learner = Learner(DeepNet(784, 160, 80, 10), lr=0.03)
learner.learn(train.subset(range(4000)), epochs=4, size=50)
print(f"result: {learner.accuracy(test):.4f}")
