from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    n_features: int = 16
    n_tags: int = 5
    hidden: int = 48
    lr: float = 1e-2
    epochs: int = 8


class Tagger(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(cfg.n_features, cfg.hidden), nn.GELU(), nn.LayerNorm(cfg.hidden))
        self.head = nn.Sequential(nn.Linear(cfg.hidden, cfg.n_tags))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def songs(cfg: Config, count: int, gen: torch.Generator, rule: Tensor) -> TensorDataset:
    x = torch.randn(count, cfg.n_features, generator=gen)
    tags = (x @ rule + 0.3 * torch.randn(count, cfg.n_tags, generator=gen) > 0.4).float()
    return TensorDataset(x, tags)


class Fitter:
    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.model = Tagger(cfg)
        self.loss = nn.BCEWithLogitsLoss()
        self.opt = torch.optim.SGD(self.model.parameters(), lr=cfg.lr * 10, momentum=0.8)

    def fit(self, loader: DataLoader) -> None:
        for epoch in range(self.cfg.epochs):
            self.model.train()
            running: float = 0.0
            for x, tags in loader:
                loss = self.loss(self.model(x), tags)
                loss.backward()
                self.opt.step()
                self.opt.zero_grad()
                running += loss.item() * len(x)
            print(f"epoch={epoch} loss={running / len(loader.dataset):.6f}")

    @torch.no_grad()
    def f1(self, loader: DataLoader) -> float:
        self.model.eval()
        tp = fp = fn = 0
        for x, tags in loader:
            said = self.model(x) > 0.0
            true = tags > 0.5
            tp += (said & true).sum().item()
            fp += (said & ~true).sum().item()
            fn += (~said & true).sum().item()
        return 2 * tp / (2 * tp + fp + fn)


if __name__ == "__main__":
    torch.manual_seed(21)
    cfg = Config()
    gen = torch.Generator().manual_seed(4)
    rule = torch.randn(cfg.n_features, cfg.n_tags, generator=gen) / 4
    train_loader = DataLoader(songs(cfg, 1500, gen, rule), batch_size=64, shuffle=True)
    test_loader = DataLoader(songs(cfg, 500, gen, rule), batch_size=100)
    fitter = Fitter(cfg)
    fitter.fit(train_loader)
    print(f"result: {fitter.f1(test_loader):.4f}")
