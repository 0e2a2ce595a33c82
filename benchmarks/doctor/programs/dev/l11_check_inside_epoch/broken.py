import firstlight as fl
import torch
from torch import nn


class FashionExperiment:
    def __init__(self, n_train=2500, n_test=700, width=96):
        torch.manual_seed(23)
        train, test = fl.load("fashion_mnist_small")
        self.train_data = train.subset(range(n_train))
        self.test_data = test.subset(range(n_test))
        self.model = nn.Sequential(
            nn.Flatten(), nn.Linear(784, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.5),
            nn.Linear(width, 10),
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.steps = 0

    def accuracy(self):
        self.model.eval()
        right = 0
        with torch.no_grad():
            for x, y in self.test_data.batches(350):
                right += int((self.model(x).argmax(1) == y).sum())
        return right / len(self.test_data)

    def step(self, x, y):
        loss = nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss.item()

    def run(self, epochs=3):
        batches = self.train_data.batches(50, shuffle=True)
        self.model.train()
        for epoch in range(epochs):
            losses = []
            for x, y in batches:
                losses.append(self.step(x, y))
                if self.steps % 25 == 0:
                    print(f"  step {self.steps}: accuracy {self.accuracy():.4f}")
            print(f"epoch {epoch}: loss {sum(losses) / len(losses):.6f}")
        return self.accuracy()


experiment = FashionExperiment()
print(f"result: {experiment.run():.4f}")
