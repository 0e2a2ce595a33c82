import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class Settings:
    steps: int = 20
    sensors: int = 3
    width: int = 32
    heads: int = 4
    stages: int = 4
    epochs: int = 8
    batch: int = 32
    lr: float = 2e-3
    seed: int = 64


def record(count: int, cfg: Settings):
    stage = torch.randint(cfg.stages, (count,))
    t = torch.arange(cfg.steps) / cfg.steps
    speed = 1.0 + stage.float().unsqueeze(1)
    phase = torch.rand(count, 1) * 1.5
    wave = torch.sin(2 * math.pi * speed * t + phase)
    other = torch.cos(2 * math.pi * speed * t + phase)
    x = torch.stack([wave, other, wave * other], dim=2)
    return x + 0.2 * torch.randn_like(x), stage


class GaitFormer(nn.Module):
    def __init__(self, cfg: Settings):
        super().__init__()
        self.inlet = nn.Linear(cfg.sensors, cfg.width)
        self.position = nn.Parameter(torch.randn(cfg.steps, cfg.width) * 0.1)
        layer = nn.TransformerEncoderLayer(cfg.width, cfg.heads, dim_feedforward=64, dropout=0.1)
        self.encoder = nn.TransformerEncoder(layer, num_layers=1)
        self.outlet = nn.Linear(cfg.width * cfg.steps, cfg.stages)

    def forward(self, x):
        h = self.encoder(self.inlet(x) + self.position)
        return self.outlet(h.flatten(1))


def train_epoch(model, loader, optimizer, loss_fn, cfg):
    torch.manual_seed(cfg.seed)
    model.train()
    total = 0.0
    for x, stage in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), stage)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


def accuracy(model, loader):
    model.eval()
    correct = 0
    with torch.inference_mode():
        for x, stage in loader:
            correct += int((model(x).argmax(1) == stage).sum())
    return correct / len(loader.dataset)


def main(cfg: Settings = Settings()):
    torch.manual_seed(cfg.seed)
    loader = DataLoader(TensorDataset(*record(1000, cfg)), batch_size=cfg.batch, shuffle=True)
    test_loader = DataLoader(TensorDataset(*record(300, cfg)), batch_size=100)
    model = GaitFormer(cfg)
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr)
    for epoch in range(cfg.epochs):
        print(f"epoch {epoch}: {train_epoch(model, loader, optimizer, nn.CrossEntropyLoss(), cfg):.6f}")
    print(f"result: {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
