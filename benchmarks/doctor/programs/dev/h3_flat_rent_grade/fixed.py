from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Callback(Protocol):
    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None: ...


class Printer:
    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        print(f"epoch {epoch}: " + " ".join(f"{name}={value:.6f}" for name, value in logs.items()))


class History:
    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.rows.append(dict(logs))


class FlatNet(nn.Module):
    """Rent (one number) and energy grade (four classes) of a flat."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(features, 320), nn.SiLU(), nn.Linear(320, 320), nn.SiLU())
        self.rent = nn.Linear(320, 1)
        self.grade = nn.Linear(320, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)
        return self.rent(h).squeeze(1), self.grade(h)


class Runner:
    def __init__(self, net: FlatNet, callbacks: list[Callback]) -> None:
        self.net = net
        self.callbacks = callbacks
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        self.rent_loss = nn.SmoothL1Loss()
        self.grade_loss = nn.CrossEntropyLoss()

    def step(self, x: Tensor, rent: Tensor, grade: Tensor) -> float:
        rent_hat, grade_hat = self.net(x)
        losses = [self.rent_loss(rent_hat, rent), self.grade_loss(grade_hat, grade)]
        total = torch.stack(losses).sum()
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        return total.item()

    def run(self, train: DataLoader, test: DataLoader, epochs: int) -> float:
        accuracy = 0.0
        for epoch in range(1, epochs + 1):
            self.net.train()
            values = [self.step(*batch) for batch in train]
            accuracy = self.accuracy(test)
            logs = {"loss": sum(values) / len(values), "accuracy": accuracy}
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, logs)
        return accuracy

    def accuracy(self, loader: DataLoader) -> float:
        self.net.eval()
        right = total = 0
        with torch.no_grad():
            for x, _, grade in loader:
                right += int((self.net(x)[1].argmax(dim=1) == grade).sum())
                total += len(grade)
        return right / total


def flats(count: int) -> TensorDataset:
    x = torch.randn(count, 12)
    rent = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + 0.3 * torch.sin(3 * x[:, 3]) + 0.1 * torch.randn(count)
    insulation = x[:, 4] + 0.7 * x[:, 5].abs() - 0.5 * x[:, 0] + 0.1 * torch.randn(count)
    grade = torch.bucketize(insulation, torch.tensor([-0.3, 0.5, 1.3]))
    return TensorDataset(x, rent, grade)


torch.manual_seed(77)
train_set, test_set = flats(2400), flats(600)
runner = Runner(FlatNet(12), [Printer(), History()])
accuracy = runner.run(DataLoader(train_set, batch_size=120, shuffle=True), DataLoader(test_set, batch_size=300), epochs=28)
print(f"result: {accuracy:.4f}")
