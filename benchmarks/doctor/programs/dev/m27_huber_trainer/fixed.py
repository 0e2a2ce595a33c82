from typing import Iterable, Tuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Trips(Dataset):
    """Minutes a taxi needs, from distance, hour, rain and number of lights."""

    def __init__(self, n: int, seed: int) -> None:
        g = torch.Generator().manual_seed(seed)
        self.x = torch.rand(n, 4, generator=g)
        km, hour, rain, lights = self.x.T
        rush = torch.exp(-((hour - 0.7) ** 2) / 0.02)
        minutes = km * (1 + rush) + 0.3 * rain * km + 0.4 * lights + 0.05 * torch.randn(n, generator=g)
        self.minutes = (minutes - 1.0).unsqueeze(1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> Tuple[Tensor, Tensor]:
        return self.x[i], self.minutes[i]


class TripTrainer:
    def __init__(self, model: nn.Module, lr: float) -> None:
        self.model = model
        self.criterion = nn.HuberLoss(delta=0.5)
        self.optimizer = torch.optim.RMSprop(model.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 5, gamma=0.5)

    def _step(self, x: Tensor, minutes: Tensor) -> float:
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), minutes)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, batches: Iterable, epochs: int) -> None:
        for epoch in range(epochs):
            values = [self._step(x, minutes) for x, minutes in batches]
            self.scheduler.step()
            print(f"epoch {epoch:2d}  loss {sum(values) / len(values):.6f}")

    @torch.no_grad()
    def within(self, data: Trips, tolerance: float = 0.2) -> float:
        error = self.model(data.x).flatten() - data.minutes.flatten()
        return (error.abs() < tolerance).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(81)
    net = nn.Sequential(nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
    trainer = TripTrainer(net, lr=2e-3)
    trainer.fit(DataLoader(Trips(1400, 1), batch_size=35, shuffle=True), epochs=10)
    print(f"result: {trainer.within(Trips(400, 2)):.4f}")
