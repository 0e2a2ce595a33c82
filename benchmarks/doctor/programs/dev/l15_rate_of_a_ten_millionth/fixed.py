from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Settings:
    seed: int = 12
    stations: int = 2400
    epochs: int = 8
    batch: int = 60
    lr: float = 3e-3
    width: int = 48


def bike_counts(cfg):
    """Hires per hour from weather and calendar; the counts follow a Poisson law."""
    rng = np.random.default_rng(cfg.seed)
    temp = rng.normal(14, 8, cfg.stations)
    rain = rng.exponential(1.0, cfg.stations)
    hour = rng.integers(0, 24, cfg.stations)
    weekend = rng.integers(0, 2, cfg.stations)
    rush = np.exp(-((hour - 8) / 2.0) ** 2) + np.exp(-((hour - 17.5) / 2.5) ** 2)
    rate = np.exp(0.9 + 0.04 * temp - 0.5 * rain + 1.4 * rush * (1 - weekend) + 0.3 * weekend)
    table = np.stack([temp, rain, np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12),
                      np.cos(hour * np.pi / 6), weekend], axis=1)
    return table, rng.poisson(rate)


cfg = Settings()
torch.manual_seed(cfg.seed)
table, counts = bike_counts(cfg)
cut = int(0.8 * cfg.stations)
mu, sigma = table[:cut].mean(0), table[:cut].std(0)
inputs = torch.tensor((table - mu) / sigma, dtype=torch.float32)
target = torch.tensor(counts, dtype=torch.float32).unsqueeze(1)

net = nn.Sequential(
    nn.Linear(inputs.shape[1], cfg.width), nn.ReLU(),
    nn.Linear(cfg.width, cfg.width), nn.ReLU(),
    nn.Linear(cfg.width, 1),
)
poisson = nn.PoissonNLLLoss(log_input=True)
opt = torch.optim.Adam(net.parameters(), lr=cfg.lr)

for epoch in range(cfg.epochs):
    net.train()
    loss_sum = 0.0
    for idx in torch.randperm(cut).split(cfg.batch):
        opt.zero_grad()
        loss = poisson(net(inputs[idx]), target[idx])
        loss.backward()
        opt.step()
        loss_sum += loss.item() * len(idx)
    print(f"epoch {epoch}: poisson loss {loss_sum / cut:.4f}")

net.eval()
with torch.no_grad():
    expected = net(inputs[cut:]).exp()
truth = target[cut:]
score = 1 - ((expected - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
print(f"test R2: {score.item():.4f}")
