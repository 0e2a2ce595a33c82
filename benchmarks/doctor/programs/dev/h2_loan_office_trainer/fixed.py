from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "none": nn.Identity}


@dataclass
class Config:
    columns: int = 8
    classes: int = 3
    hidden: int = 192
    inner: str = "tanh"
    output: str = "none"
    lr: float = 5e-3
    epochs: int = 5
    batch: int = 32
    seed: int = 11


class LoanNet(nn.Module):
    def __init__(self, cfg: Config):
        super().__init__()
        inner = ACTIVATIONS[cfg.inner]
        self.body = nn.Sequential(
            nn.Linear(cfg.columns, cfg.hidden), inner(),
            nn.Linear(cfg.hidden, cfg.hidden), inner(),
            nn.Linear(cfg.hidden, cfg.classes),
        )
        self.last = ACTIVATIONS[cfg.output]()

    def forward(self, x):
        return self.last(self.body(x))


class Trainer:
    def __init__(self, cfg: Config):
        self.cfg = cfg
        torch.manual_seed(cfg.seed)
        self.train_set, self.test_set = random_split(self.applications(1800), [1400, 400])
        self.net = LoanNet(cfg)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=cfg.lr)

    def applications(self, n):
        x = torch.randn(n, self.cfg.columns)
        risk = x[:, 0] * 1.5 + 0.5 * x[:, 1] * x[:, 2] - x[:, 3]
        y = torch.bucketize(risk, torch.tensor([-0.9, 0.9]))
        return TensorDataset(x, y)

    def fit(self):
        loader = DataLoader(self.train_set, batch_size=self.cfg.batch, shuffle=True)
        for epoch in range(1, self.cfg.epochs + 1):
            self.net.train()
            running, seen = 0.0, 0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                running += loss.item() * y.size(0)
                seen += y.size(0)
            print(f"[{epoch}/{self.cfg.epochs}] {running / seen:.6f}")
        return self

    def score(self):
        self.net.eval()
        right = 0
        with torch.no_grad():
            for x, y in DataLoader(self.test_set, batch_size=128):
                right += (self.net(x).argmax(1) == y).sum().item()
        return right / len(self.test_set)


if __name__ == "__main__":
    print(f"result: {Trainer(Config()).fit().score():.4f}")
