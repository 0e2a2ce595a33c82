from dataclasses import dataclass

import torch
import torch.nn as nn

import firstlight as fl


@dataclass
class Config:
    epochs: int = 3
    micro_batch: int = 20
    every: int = 3
    lr: float = 0.1


class Trainer:
    def __init__(self, net: nn.Module, config: Config):
        self.net = net
        self.config = config
        self.optimizer = torch.optim.SGD(net.parameters(), lr=config.lr, momentum=0.5)
        self.loss_fn = nn.CrossEntropyLoss(reduction="sum")
        self.waiting = 0

    def _update(self) -> None:
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                p.grad /= self.waiting
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.waiting = 0

    def fit(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        for epoch in range(self.config.epochs):
            self.net.train()
            total = 0.0
            for number, rows in enumerate(torch.randperm(len(images)).split(self.config.micro_batch), start=1):
                loss = self.loss_fn(self.net(images[rows]), labels[rows])
                loss.backward()
                self.waiting += len(rows)
                total += loss.item()
                if number % self.config.every == 0:
                    self._update()
            if self.waiting:
                self._update()
            print(f"epoch {epoch}: {total / len(images):.6f}")

    @torch.no_grad()
    def score(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        self.net.eval()
        return (self.net(images).argmax(1) == labels).float().mean().item()


torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")
images, labels = train[:2000]
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))
trainer = Trainer(net, Config())
trainer.fit(images, labels)
print(f"result: {trainer.score(*test[:1000]):.4f}")
