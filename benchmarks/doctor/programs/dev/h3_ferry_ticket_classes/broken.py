"""Which of six tickets does a passenger buy?"""

from typing import Iterable, Tuple

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class TicketModel(nn.Module):
    def __init__(self, features: int, tickets: int, width: int = 320, p: float = 0.3) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(p))
        self.second = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(p))
        self.ticket = nn.Linear(width, tickets)

    def forward(self, passengers: Tensor) -> Tensor:
        return self.ticket(self.second(self.first(passengers)))


class FerryTrainer:
    def __init__(self, model: nn.Module, lr: float) -> None:
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=6, gamma=0.3)

    def fit(self, train: DataLoader, val: DataLoader, epochs: int) -> None:
        self.model.train()
        for epoch in range(epochs):
            running = 0.0
            for passengers, tickets in train:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(passengers), tickets)
                loss.backward()
                self.optimizer.step()
                running += loss.item()
            self.scheduler.step()
            val_loss, val_acc = self.validate(val)
            print(f"{epoch + 1:>2} | {running / len(train):.6f} | {val_loss:.6f} | {val_acc:.3f}")

    @torch.no_grad()
    def validate(self, loader: Iterable[Tuple[Tensor, Tensor]]) -> Tuple[float, float]:
        self.model.eval()
        loss_sum, hits, count = 0.0, 0, 0
        for passengers, tickets in loader:
            scores = self.model(passengers)
            loss_sum += self.criterion(scores, tickets).item() * len(tickets)
            hits += (scores.argmax(1) == tickets).sum().item()
            count += len(tickets)
        return loss_sum / count, hits / count


def passengers_and_tickets(count: int) -> TensorDataset:
    who = torch.randn(count, 30)
    taste = torch.relu(who @ (torch.randn(30, 16) / 30**0.5)) @ torch.randn(16, 6)
    taste = taste - taste.mean(0)
    return TensorDataset(who, (taste + 0.2 * torch.randn(count, 6)).argmax(1))


def main() -> None:
    torch.manual_seed(100)
    data = passengers_and_tickets(3200)
    train, val, test = torch.utils.data.random_split(data, [2400, 400, 400])
    trainer = FerryTrainer(TicketModel(30, 6), lr=0.05)
    trainer.fit(DataLoader(train, batch_size=80, shuffle=True), DataLoader(val, batch_size=200), epochs=14)
    _, accuracy = trainer.validate(DataLoader(test, batch_size=200))
    print(f"result: {accuracy:.4f}")


if __name__ == "__main__":
    main()
