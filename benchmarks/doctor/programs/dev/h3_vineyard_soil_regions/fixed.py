from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Config:
    regions: int = 7
    minerals: int = 36
    widths: list[int] = field(default_factory=lambda: [320, 320])
    lr: float = 8e-4
    batch: int = 64
    epochs: int = 24
    patience: int = 6
    seed: int = 44


def make_samples(cfg, sizes):
    soils = torch.randn(cfg.regions, 3, cfg.minerals) * 0.65
    parts = []
    for size in sizes:
        region = torch.randint(cfg.regions, (size,))
        plot = torch.randint(3, (size,))
        parts.append((soils[region, plot] + torch.randn(size, cfg.minerals), region))
    center = parts[0][0].mean(0)
    return [(minerals - center, region) for minerals, region in parts]


def make_net(cfg):
    sizes = [cfg.minerals, *cfg.widths]
    blocks = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        blocks += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(0.25)]
    return nn.Sequential(*blocks, nn.Linear(sizes[-1], cfg.regions))


def evaluate(net, part):
    minerals, region = part
    net.eval()
    with torch.no_grad():
        scores = net(minerals)
    loss = nn.functional.cross_entropy(scores, region).item()
    return loss, scores.argmax(1).eq(region).float().mean().item()


def fit(net, train, val, cfg):
    minerals, region = train
    optimizer = torch.optim.NAdam(net.parameters(), lr=cfg.lr)
    best_loss, best_weights, since = float("inf"), None, 0
    for epoch in range(cfg.epochs):
        net.train()
        mean_loss = 0.0
        for rows in torch.randperm(len(region)).split(cfg.batch):
            loss = nn.functional.cross_entropy(net(minerals[rows]), region[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean_loss += loss.item() * len(rows) / len(region)
        val_loss, val_acc = evaluate(net, val)
        print(f"{epoch:3d} train {mean_loss:.6f} val {val_loss:.6f} ({val_acc:.3f})")
        if val_loss < best_loss:
            best_loss, since = val_loss, 0
            best_weights = {name: value.clone() for name, value in net.state_dict().items()}
        else:
            since += 1
            if since >= cfg.patience:
                print("no better for", since, "epochs")
                break
    net.load_state_dict(best_weights)
    return net


def main(cfg=Config()):
    torch.manual_seed(cfg.seed)
    train, val, test = make_samples(cfg, [2200, 500, 600])
    net = fit(make_net(cfg), train, val, cfg)
    print(f"result: {evaluate(net, test)[1]:.4f}")


if __name__ == "__main__":
    main()
