import firstlight as fl
import torch
from torch import nn


class Mixup:
    def __init__(self, alpha):
        self.beta = torch.distributions.Beta(alpha, alpha)

    def __call__(self, x, y):
        share = self.beta.sample()
        other = torch.randperm(len(x))
        return share * x + (1 - share) * x[other], y[other], share


class Trainer:
    def __init__(self, net):
        self.net = net
        self.mixup = Mixup(0.4)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=1.5e-3)

    def train(self, batches):
        self.net.train()
        total, right, count = 0.0, 0, 0
        for x, y in batches:
            mixed, other, share = self.mixup(x, y)
            plain_out = self.net(x)
            mixed_out = self.net(mixed)
            loss = share * self.criterion(mixed_out, y) + (1 - share) * self.criterion(mixed_out, other)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(y)
            right += (plain_out.argmax(1) == y).sum().item()
            count += len(y)
        return total / count, right / count

    def test(self, batches):
        self.net.eval()
        right, count = 0, 0
        with torch.no_grad():
            for x, y in batches:
                right += (self.net(x).argmax(1) == y).sum().item()
                count += len(y)
        return right / count


torch.manual_seed(34)
train, test = fl.load("fashion_mnist_small")
train_batches = train.subset(range(2000)).batches(50, shuffle=True)
test_batches = test.subset(range(800)).batches(400)
trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(784, 56), nn.ReLU(), nn.Linear(56, 10)))
for epoch in range(3):
    loss, seen = trainer.train(train_batches)
    print(f"epoch {epoch} loss {loss:.6f} train accuracy {seen:.4f}")
print(f"result: {trainer.test(test_batches):.4f}")
