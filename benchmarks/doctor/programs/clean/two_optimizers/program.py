import torch
from torch import nn, Tensor
from torch.utils.data import TensorDataset, DataLoader, random_split


class Backbone(nn.Module):
    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.a = nn.Linear(inputs, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.a(x)))


class Experiment:
    def __init__(self):
        self.backbone = Backbone(20, 64)
        self.head = nn.Linear(64, 4)
        self.slow = torch.optim.SGD(self.backbone.parameters(), lr=0.05, momentum=0.9)
        self.fast = torch.optim.Adam(self.head.parameters(), lr=0.01)
        self.loss = nn.CrossEntropyLoss()

    def step(self, x: Tensor, y: Tensor) -> float:
        loss = self.loss(self.head(self.backbone(x)), y)
        self.slow.zero_grad()
        self.fast.zero_grad()
        loss.backward()
        self.slow.step()
        self.fast.step()
        return loss.item()

    def fit(self, loader: DataLoader, epochs: int) -> None:
        for epoch in range(epochs):
            values = [self.step(x, y) for x, y in loader]
            print(f"[{epoch + 1}/{epochs}] loss={sum(values) / len(values):.6f}")

    @torch.no_grad()
    def accuracy(self, loader: DataLoader) -> float:
        right = count = 0
        for x, y in loader:
            right += int((self.head(self.backbone(x)).argmax(1) == y).sum())
            count += len(y)
        return right / count


torch.manual_seed(21)
labels = torch.randint(0, 4, (1600,))
directions = torch.randn(4, 2, 20)
which = torch.randint(0, 2, (1600,))
features = directions[labels, which] + 0.7 * torch.randn(1600, 20)
training, testing = random_split(TensorDataset(features, labels), [1280, 320])
experiment = Experiment()
experiment.fit(DataLoader(training, batch_size=32, shuffle=True), epochs=4)
print(f"result: {experiment.accuracy(DataLoader(testing, batch_size=64)):.4f}")
