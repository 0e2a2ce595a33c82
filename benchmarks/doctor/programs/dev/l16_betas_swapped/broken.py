import torch
from torch import nn


class Digits:
    """Seven-segment numbers with flickering segments and a noisy background."""

    SEGMENTS = torch.tensor([
        [1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1],
        [0, 1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 0],
        [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1],
    ], dtype=torch.float32)

    def __init__(self, n):
        self.number = torch.randint(0, 10, (n,))
        clean = self.SEGMENTS[self.number].repeat_interleave(4, dim=1)
        self.light = clean + 0.7 * torch.randn(n, 28)

    def shuffled(self, size):
        for rows in torch.randperm(len(self.number)).split(size):
            yield self.light[rows], self.number[rows]


class Training:
    def __init__(self, hidden=64):
        self.net = nn.Sequential(nn.Linear(28, hidden), nn.ReLU(), nn.Linear(hidden, 10))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3, betas=(0.999, 0.9))
        self.loss = nn.CrossEntropyLoss()

    def epoch(self, data):
        self.net.train()
        total, steps = 0.0, 0
        for light, number in data.shuffled(40):
            self.optimizer.zero_grad()
            value = self.loss(self.net(light), number)
            value.backward()
            self.optimizer.step()
            total += value.item()
            steps += 1
        return total / steps

    def test(self, data):
        self.net.eval()
        with torch.no_grad():
            return (self.net(data.light).argmax(1) == data.number).float().mean().item()


torch.manual_seed(13)
train_data, test_data = Digits(2000), Digits(500)
training = Training()
for number in range(5):
    print(f"epoch {number} loss {training.epoch(train_data):.6f}")
print(f"result: {training.test(test_data):.4f}")
