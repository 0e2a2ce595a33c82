#!/usr/bin/env python
"""Which of six tariff groups does a line of a cargo manifest belong to? Mixed precision where there is a GPU."""
from dataclasses import dataclass
from typing import Tuple

import numpy as np
import torch
from torch import nn
from torch.amp import GradScaler, autocast


@dataclass(frozen=True)
class Settings:
    seed: int = 9
    ports: int = 30
    goods: int = 60
    groups: int = 6
    lines: int = 3000
    lr: float = 1e-3
    decay: float = 1e-2
    batch: int = 60
    epochs: int = 10
    width: int = 512


def manifests(cfg: Settings) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(cfg.seed)
    port = rng.integers(cfg.ports, size=cfg.lines)
    good = rng.integers(cfg.goods, size=cfg.lines)
    weights = rng.normal(size=(cfg.lines, 10))
    score = rng.normal(size=(cfg.goods, cfg.groups)) * 1.6
    where = rng.normal(size=(cfg.ports, cfg.groups)) * 0.6
    by_weight = rng.normal(size=(10, cfg.groups)) * 0.3
    total = score[good] + where[port] + weights @ by_weight + 0.3 * rng.normal(size=(cfg.lines, cfg.groups))
    return np.stack([port, good], 1), weights, total.argmax(1)


class ManifestNet(nn.Module):
    def __init__(self, cfg: Settings):
        super().__init__()
        self.port = nn.Embedding(cfg.ports, 12)
        self.good = nn.Embedding(cfg.goods, 20)
        self.trunk = nn.Sequential(
            nn.Linear(42, cfg.width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(cfg.width, cfg.width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(cfg.width, cfg.groups),
        )

    def forward(self, codes, weights):
        return self.trunk(torch.cat([self.port(codes[:, 0]), self.good(codes[:, 1]), weights], dim=1))


def batches(data, size, shuffle=False):
    codes, weights, groups = data
    order = np.random.permutation(len(groups)) if shuffle else np.arange(len(groups))
    for i in range(0, len(order), size):
        rows = order[i : i + size]
        yield (codes[rows], weights[rows]), groups[rows]


def measure(net, data, cfg) -> float:
    net.eval()
    good = 0
    with torch.no_grad():
        for inputs, targets in batches(data, 200):
            good += (net(*inputs).argmax(1) == targets).sum().item()
    return good / len(data[2])


def main(cfg: Settings = Settings()) -> None:
    np.random.seed(cfg.seed)
    torch.manual_seed(cfg.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    codes, weights, groups = manifests(cfg)
    full = (torch.as_tensor(codes), torch.as_tensor(weights, dtype=torch.float32), torch.as_tensor(groups))
    full = tuple(part.to(device) for part in full)
    train = tuple(part[:2400] for part in full)
    test = tuple(part[2400:] for part in full)

    net = ManifestNet(cfg).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=cfg.lr, weight_decay=cfg.decay)
    criterion = nn.CrossEntropyLoss()
    scaler = GradScaler(device, enabled=device == "cuda")

    for epoch in range(cfg.epochs):
        net.train()
        total = 0.0
        for inputs, targets in batches(train, cfg.batch, shuffle=True):
            optimizer.zero_grad(set_to_none=True)
            with autocast(device, enabled=device == "cuda"):
                loss = criterion(net(*inputs), targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += loss.item() * len(targets)
        print(f"epoch={epoch} loss={total / 2400:.6f} test={measure(net, test, cfg):.4f}")
    print(f"result: {measure(net, test, cfg):.4f}")


if __name__ == "__main__":
    main()
