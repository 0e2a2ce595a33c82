from dataclasses import dataclass

import torch
from torch import nn
import torch.nn.functional as F


@dataclass
class Config:
    channels: int = 100
    latent: int = 6
    hidden: int = 96
    batch: int = 50
    epochs: int = 12
    lr: float = 2e-3
    beta: float = 0.02
    seed: int = 13


def spectra(n, channels):
    """Mixtures of three emission lines of varying strength on a sloping background."""
    axis = torch.linspace(0, 1, channels)
    lines = torch.tensor([0.22, 0.48, 0.77]) + 0.02 * torch.randn(n, 3)
    strength = torch.rand(n, 3)
    peaks = torch.exp(-((axis[None, None] - lines[..., None]) / 0.03) ** 2 / 2)
    curve = (strength[..., None] * peaks).sum(1) + 0.4 * torch.rand(n, 1) * axis
    return curve + 0.03 * torch.randn(n, channels)


class VAE(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(cfg.channels, cfg.hidden), nn.ReLU(),
                                    nn.Linear(cfg.hidden, 2 * cfg.latent))
        self.decode = nn.Sequential(nn.Linear(cfg.latent, cfg.hidden), nn.ReLU(),
                                    nn.Linear(cfg.hidden, cfg.channels))

    def forward(self, x):
        mu, logvar = self.encode(x).chunk(2, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu) if self.training else mu
        return self.decode(z), mu, logvar


class Trainer:
    def __init__(self, cfg, on_batch_end=(), on_epoch_end=()):
        torch.manual_seed(cfg.seed)
        self.cfg, self.on_batch_end, self.on_epoch_end = cfg, on_batch_end, on_epoch_end
        parts = [spectra(n, cfg.channels) for n in (3000, 1000, 1000)]
        mean, std = parts[0].mean(0), parts[0].std()
        self.x_train, self.x_val, self.x_test = ((p - mean) / std for p in parts)
        self.model = VAE(cfg)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=cfg.lr)

    def notify(self, callbacks):
        for callback in callbacks:
            callback(self)

    @torch.no_grad()
    def reconstruction_error(self, x):
        self.model.eval()
        squares = sum(F.mse_loss(self.model(c)[0], c, reduction="sum").item() for c in x.split(self.cfg.batch))
        return squares / x.numel()

    def fit(self):
        for _ in range(self.cfg.epochs):
            for rows in torch.randperm(len(self.x_train)).split(self.cfg.batch):
                self.model.train()
                x = self.x_train[rows]
                out, mu, logvar = self.model(x)
                kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).sum(1).mean()
                loss = F.mse_loss(out, x) + self.cfg.beta * kl / self.cfg.latent
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.notify(self.on_batch_end)
            self.notify(self.on_epoch_end)


curve = []


def show_progress(trainer):
    curve.append(trainer.reconstruction_error(trainer.x_val))


def main():
    cfg = Config()
    trainer = Trainer(cfg, on_batch_end=[show_progress])
    trainer.fit()
    print("held-out error:", ["%.4f" % e for e in curve[::len(curve) // 6]])
    print(f"result: {trainer.reconstruction_error(trainer.x_test):.4f}")


main()
