from typing import Tuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR


class Learner:
    def __init__(self, model: nn.Module, epochs: int) -> None:
        self.model = model
        self.epochs = epochs
        self.opt = torch.optim.SGD(model.parameters(), lr=0.15, momentum=0.9, weight_decay=1e-4)
        self.sched = CosineAnnealingLR(self.opt, T_max=epochs)

    def fit(self, data: Tuple[Tensor, Tensor]) -> "Learner":
        x, y = data
        for epoch in range(self.epochs):
            total = 0.0
            for rows in torch.randperm(len(x)).split(64):
                loss = nn.functional.cross_entropy(self.model(x[rows]), y[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            self.sched.step()
            print(f"epoch {epoch + 1:02d}: loss {total / len(x):.6f}, lr {self.sched.get_last_lr()[0]:.4f}")
        return self

    def validate(self, data: Tuple[Tensor, Tensor]) -> float:
        x, y = data
        with torch.inference_mode():
            return (self.model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(44)
shape = torch.randn(6, 18)
labels = torch.randint(0, 6, (1920,))
points = shape[labels] * (1 + torch.rand(1920, 1)) + 0.9 * torch.randn(1920, 18)
learner = Learner(nn.Sequential(nn.Linear(18, 50), nn.ELU(), nn.Linear(50, 6)), epochs=6)
learner.fit((points[:1536], labels[:1536]))
print(f"result: {learner.validate((points[1536:], labels[1536:])):.4f}")
