import torch
from torch import nn


class Lasso(nn.Module):
    """Few of fifty inputs matter; the rest should get small weights."""

    def __init__(self, inputs=50, hidden=32, strength=2e-4):
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, 1)
        self.strength = strength

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

    def penalty(self):
        return self.strength * self.first.weight.abs().sum()


class Regression:
    def __init__(self):
        torch.manual_seed(97)
        self.x = torch.randn(1600, 50)
        self.y = (self.x[:, 0] - 2 * self.x[:, 1] + self.x[:, 2].abs())[:, None] + 0.3 * torch.randn(1600, 1)
        self.model = Lasso()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def run(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for rows in torch.randperm(1200).split(40):
                error = nn.functional.mse_loss(self.model(self.x[rows]), self.y[rows])
                loss = error + self.model.penalty()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch} loss {total / 30:.6f}")

    def score(self):
        self.model.eval()
        with torch.no_grad():
            left = (self.model(self.x[1200:]) - self.y[1200:]).pow(2).mean()
        return 1 - (left / self.y[1200:].var(unbiased=False)).item()


regression = Regression()
regression.run(epochs=6)
print(f"result: {regression.score():.4f}")
