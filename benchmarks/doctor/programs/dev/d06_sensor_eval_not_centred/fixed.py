import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def record(n, generator):
    """Vibration of a motor: 64 readings around 12 volts; three kinds of running."""
    kind = torch.randint(0, 3, (n,), generator=generator)
    t = torch.arange(64) / 64
    phase = torch.rand(n, 1, generator=generator) * 2 * math.pi
    speed = 3.0 + 2.0 * kind.unsqueeze(1) + 0.5 * torch.rand(n, 1, generator=generator)
    wave = torch.sin(2 * math.pi * speed * t + phase) + 0.5 * torch.randn(n, 64, generator=generator)
    return 12 + 3 * wave, kind


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 12, 9, stride=2)
        self.conv2 = nn.Conv1d(12, 16, 5, stride=2)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x.unsqueeze(1)))
        x = F.relu(self.conv2(x)).mean(dim=2)
        return self.head(x)


def train(model, x, y, centre, spread, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = F.cross_entropy(model((x[rows] - centre) / spread), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1:2d} | loss {total / len(x):.6f}")


@torch.no_grad()
def test(model, x, y, centre, spread):
    model.eval()
    guess = model((x - centre) / spread).argmax(1)
    return (guess == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(2)
    g = torch.Generator().manual_seed(2)
    x_train, y_train = record(1200, g)
    x_test, y_test = record(300, g)
    centre, spread = x_train.mean(), x_train.std()
    model = Listener()
    train(model, x_train, y_train, centre, spread, epochs=8, lr=0.01)
    print(f"result: {test(model, x_test, y_test, centre, spread):.4f}")
