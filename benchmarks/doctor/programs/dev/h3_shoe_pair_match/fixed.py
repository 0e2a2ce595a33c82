import random

import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl


class ContrastiveLoss(nn.Module):
    """Pictures of the same kind close together, others at least a margin apart."""

    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, left, right, same):
        distance = self.distance(left, right)
        near = same * distance.pow(2)
        far = (1 - same) * F.relu(self.margin - distance).pow(2)
        return 0.5 * (near + far).mean()

    @staticmethod
    def distance(left, right):
        return torch.sqrt(((left - right) ** 2).sum(dim=1) + 1e-6)


class Pairs:
    """Random pairs of pictures, half of them of the same kind."""

    def __init__(self, dataset, seed):
        self.images = dataset[:][0]
        self.rows = [torch.nonzero(dataset.labels == kind).flatten().tolist() for kind in range(10)]
        self.random = random.Random(seed)

    def batch(self, size):
        left, right, same = [], [], []
        for i in range(size):
            kind = self.random.randrange(10)
            other = kind if i % 2 == 0 else (kind + self.random.randrange(1, 10)) % 10
            left.append(self.random.choice(self.rows[kind]))
            right.append(self.random.choice(self.rows[other]))
            same.append(float(kind == other))
        return self.images[left], self.images[right], torch.tensor(same)


class Siamese(nn.Module):
    def __init__(self, out=16):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Flatten())
        self.fc = nn.Sequential(nn.Linear(8 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, out))

    def embed(self, image):
        return self.fc(self.conv(image))

    def forward(self, left, right):
        return self.embed(left), self.embed(right)


class MatchTrainer:
    def __init__(self, pairs, test_pairs):
        self.pairs = pairs
        self.test = [test_pairs.batch(200) for _ in range(5)]
        self.net = Siamese()
        self.loss = ContrastiveLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def epoch(self, steps, size):
        self.net.train()
        total = 0.0
        for _ in range(steps):
            left, right, same = self.pairs.batch(size)
            self.optimizer.zero_grad()
            loss = self.loss(*self.net(left, right), same)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / steps

    def accuracy(self):
        self.net.eval()
        right_answers, answers = 0, 0
        with torch.no_grad():
            for left, right, same in self.test:
                close = self.loss.distance(*self.net(left, right)) < self.loss.margin / 2
                right_answers += (close.float() == same).sum().item()
                answers += len(same)
        return right_answers / answers


def main():
    torch.manual_seed(9)
    train, test = fl.load("fashion_mnist_small")
    trainer = MatchTrainer(Pairs(train.subset(range(2000)), seed=1), Pairs(test.subset(range(1000)), seed=2))
    for epoch in range(7):
        print(f"epoch {epoch} loss {trainer.epoch(40, 64):.6f} accuracy {trainer.accuracy():.4f}")
    print(f"result: {trainer.accuracy():.4f}")


main()
