from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    rows: int = 2500
    test_share: float = 0.2
    hidden: int = 64
    lr: float = 3e-3
    epochs: int = 10
    batch: int = 50
    seed: int = 9


class Standardiser:
    def fit(self, x: torch.Tensor) -> "Standardiser":
        self.shift = x.mean(dim=0, keepdim=True)
        self.scale = x.std(dim=0, keepdim=True).clamp_min(1e-8)
        return self

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.shift) / self.scale


def office_year(cfg: Config) -> tuple[torch.Tensor, torch.Tensor]:
    outside = 11 + 9 * torch.randn(cfg.rows)
    people = torch.randint(0, 60, (cfg.rows,)).float()
    hour = 24 * torch.rand(cfg.rows)
    wind = torch.rand(cfg.rows) * 14
    need = (21 - outside).clamp_min(0) * 0.35 + people * 0.06 + 2.0 * torch.sin(hour / 24 * 6.283) + 0.1 * wind
    need = need + 0.3 * torch.randn(cfg.rows)
    return torch.stack([outside, people, hour, wind], dim=1), need.unsqueeze(1)


class EnergyModel(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, cfg.hidden), nn.Linear(cfg.hidden, cfg.hidden)])
        self.last = nn.Linear(cfg.hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.nn.functional.silu(layer(x))
        return self.last(x)


class Experiment:
    def __init__(self, cfg: Config) -> None:
        torch.manual_seed(cfg.seed)
        self.cfg = cfg
        x, y = office_year(cfg)
        n_test = int(cfg.rows * cfg.test_share)
        x_train, x_test, y_train, y_test = x[n_test:], x[:n_test], y[n_test:], y[:n_test]
        scaler = Standardiser().fit(x_train)
        x_train = scaler(x_train)
        self.test = DataLoader(TensorDataset(x_test, y_test), batch_size=100)
        self.train = DataLoader(TensorDataset(x_train, y_train), batch_size=cfg.batch, shuffle=True)
        self.model = EnergyModel(cfg)
        self.loss = nn.HuberLoss()
        self.optim = torch.optim.AdamW(self.model.parameters(), lr=cfg.lr)

    def train_epoch(self) -> float:
        self.model.train()
        total = 0.0
        for x, y in self.train:
            loss = self.loss(self.model(x), y)
            self.optim.zero_grad()
            loss.backward()
            self.optim.step()
            total += loss.item() * x.shape[0]
        return total / len(self.train.dataset)

    def r2(self) -> float:
        self.model.eval()
        guesses, truths = [], []
        with torch.no_grad():
            for x, y in self.test:
                guesses.append(self.model(x))
                truths.append(y)
        guess, truth = torch.cat(guesses), torch.cat(truths)
        return 1 - ((guess - truth).square().sum() / (truth - truth.mean()).square().sum()).item()


if __name__ == "__main__":
    experiment = Experiment(Config())
    for epoch in range(experiment.cfg.epochs):
        print(f"epoch {epoch:02d} huber {experiment.train_epoch():.6f}")
    print(f"result: {experiment.r2():.4f}")
