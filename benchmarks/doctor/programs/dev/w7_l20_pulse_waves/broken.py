import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class VaeConfig:
    beats: int = 2000
    length: int = 64
    latent: int = 6
    width: int = 128
    lr: float = 2e-3
    weight_decay: float = 5e-6
    max_norm: float = 5.0
    beta: float = 1.0
    batch: int = 50
    epochs: int = 8
    seed: int = 30


def heartbeats(cfg):
    """One pulse wave per row: two bumps whose place, width and height vary."""
    g = torch.Generator().manual_seed(cfg.seed)
    u = lambda lo, hi: lo + (hi - lo) * torch.rand(cfg.beats, 1, generator=g)
    t = torch.linspace(0, 1, cfg.length)
    main = u(0.8, 1.4) * torch.exp(-(((t - u(0.25, 0.35)) / u(0.05, 0.09)) ** 2))
    echo = u(0.2, 0.7) * torch.exp(-(((t - u(0.55, 0.75)) / u(0.06, 0.12)) ** 2))
    return main + echo + 0.03 * torch.randn(cfg.beats, cfg.length, generator=g)


class PulseVAE(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(cfg.length, cfg.width), nn.SiLU(),
                                    nn.Linear(cfg.width, cfg.width), nn.SiLU())
        self.mu = nn.Linear(cfg.width, cfg.latent)
        self.log_var = nn.Linear(cfg.width, cfg.latent)
        self.decode = nn.Sequential(nn.Linear(cfg.latent, cfg.width), nn.SiLU(),
                                    nn.Linear(cfg.width, cfg.width), nn.SiLU(),
                                    nn.Linear(cfg.width, cfg.length))

    def forward(self, x):
        h = self.encode(x)
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp() if self.training else mu
        return self.decode(z), mu, log_var


class VaeTrainer:
    def __init__(self, cfg):
        torch.manual_seed(cfg.seed)
        self.cfg = cfg
        waves = heartbeats(cfg)
        cut = int(0.8 * cfg.beats)
        mean, std = waves[:cut].mean(), waves[:cut].std()
        self.train_x, self.test_x = ((part - mean) / std for part in (waves[:cut], waves[cut:]))
        self.model = PulseVAE(cfg)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=cfg.lr, weight_decay=cfg.weight_decay)

    def elbo(self, x):
        recon, mu, log_var = self.model(x)
        fit = 0.5 * math.log(2 * math.pi * 0.05) + 0.5 * (recon - x) ** 2 / 0.05
        kl = -0.5 * (1 + log_var - mu ** 2 - log_var.exp())
        return (fit.sum(1) + self.cfg.beta * kl.sum(1)).mean()

    def fit(self):
        for epoch in range(self.cfg.epochs):
            self.model.train()
            total = 0.0
            for x in self.train_x[torch.randperm(len(self.train_x))].split(self.cfg.batch):
                loss = self.elbo(x)
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.weight_decay)
                self.optimizer.step()
                total += loss.item() * len(x)
            print(f"epoch {epoch + 1}: -elbo {total / len(self.train_x):.3f}")
        return self

    @torch.no_grad()
    def reconstruction_error(self):
        self.model.eval()
        recon, _, _ = self.model(self.test_x)
        return F.mse_loss(recon, self.test_x).item()


if __name__ == "__main__":
    print(f"result: {VaeTrainer(VaeConfig()).fit().reconstruction_error():.4f}")
