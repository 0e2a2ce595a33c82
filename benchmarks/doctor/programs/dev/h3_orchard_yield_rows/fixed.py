"""Kilos of apples per tree row from soil and weather measurements."""
from typing import Iterator

import torch
from torch import Tensor, nn


class LogCosh(nn.Module):
    """Like the squared error near zero, like the absolute error far away."""

    def forward(self, predicted: Tensor, actual: Tensor) -> Tensor:
        error = predicted - actual
        return (error + nn.functional.softplus(-2.0 * error) - 0.6931472).mean()


class RowBatches:
    def __init__(self, soil: Tensor, kilos: Tensor, size: int, shuffled: bool):
        self.soil, self.kilos, self.size, self.shuffled = soil, kilos, size, shuffled

    def __len__(self) -> int:
        return -(-len(self.soil) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.soil)) if self.shuffled else torch.arange(len(self.soil))
        for rows in order.split(self.size):
            yield self.soil[rows], self.kilos[rows]


class YieldNet(nn.Module):
    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, soil: Tensor) -> Tensor:
        return self.stack(soil).squeeze(1)


class Regressor:
    def __init__(self, net: nn.Module, epochs: int):
        self.net = net
        self.epochs = epochs
        self.loss = LogCosh()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=0.85)

    def fit(self, batches: RowBatches) -> None:
        for epoch in range(self.epochs):
            value = self._pass(batches)
            self.scheduler.step()
            print(f"epoch {epoch + 1:02d}/{self.epochs} loss {value:.6f}")

    def _pass(self, batches: RowBatches) -> float:
        self.net.train()
        values = []
        for soil, kilos in batches:
            self.optimizer.zero_grad()
            loss = self.loss(self.net(soil), kilos)
            loss.backward()
            self.optimizer.step()
            values.append(loss.item())
        return sum(values) / len(values)

    def r2(self, batches: RowBatches) -> float:
        self.net.eval()
        with torch.no_grad():
            predicted = torch.cat([self.net(soil).flatten() for soil, _ in batches])
        actual = torch.cat([kilos for _, kilos in batches])
        return 1.0 - ((predicted - actual).square().sum() / (actual - actual.mean()).square().sum()).item()


def harvest(rows: int) -> tuple[Tensor, Tensor]:
    soil = torch.randn(rows, 14)
    rain, sun, lime = soil[:, 0], soil[:, 1], soil[:, 2]
    kilos = 40 + 9 * torch.sin(1.5 * rain) + 6 * sun * torch.tanh(lime) + 3 * soil[:, 3:8].sum(1) + torch.randn(rows)
    return soil, kilos


if __name__ == "__main__":
    torch.manual_seed(14)
    soil, kilos = harvest(2500)
    cut = 2000
    middle, spread = kilos[:cut].mean(), kilos[:cut].std()
    kilos = (kilos - middle) / spread
    train = RowBatches(soil[:cut], kilos[:cut], 64, shuffled=True)
    test = RowBatches(soil[cut:], kilos[cut:], 125, shuffled=False)
    regressor = Regressor(YieldNet(14, 480), epochs=16)
    regressor.fit(train)
    print(f"result: {regressor.r2(test):.4f}")
