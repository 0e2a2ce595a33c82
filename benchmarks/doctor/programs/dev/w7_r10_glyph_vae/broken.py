from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    latent: int = 8
    batch: int = 64
    epochs: int = 10
    lr: float = 2e-3
    seed: int = 10


def glyphs(n, size=16):
    """Binary drawings of two crossing strokes, no two alike, in random order."""
    canvas = torch.zeros(n, 1, size, size)
    row = torch.randint(2, size - 3, (n,))
    col = torch.randint(2, size - 3, (n,))
    thick = torch.randint(1, 3, (n, 2))
    ends = torch.randint(0, 5, (n, 4))
    for i in range(n):
        left, right, top, bottom = ends[i].tolist()
        canvas[i, 0, row[i]:row[i] + thick[i, 0], left:size - right] = 1
        canvas[i, 0, top:size - bottom, col[i]:col[i] + thick[i, 1]] = 1
    canvas = canvas.unique(dim=0)
    return canvas[torch.randperm(len(canvas))]


class GlyphVAE(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten())
        self.mu = nn.Linear(512, latent)
        self.log_var = nn.Linear(512, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1))

    def forward(self, x):
        h = self.encoder(x)
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_var) if self.training else mu
        return self.decoder(z), mu, log_var


class VAETrainer:
    def __init__(self, cfg, model):
        self.cfg, self.model = cfg, model
        self.opt = torch.optim.Adam(model.parameters(), lr=cfg.lr)

    def negative_elbo(self, x):
        logits, mu, log_var = self.model(x)
        drawing = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
        kl = -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(1)
        return (drawing + kl).mean()

    def update(self, x):
        self.opt.zero_grad()
        with torch.autograd.set_detect_anomaly(True):
            loss = self.negative_elbo(x)
            loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 20.0)
        self.opt.step()
        return loss.item()

    def fit(self, data):
        for epoch in range(self.cfg.epochs):
            self.model.train()
            losses = [self.update(data[rows]) for rows in torch.randperm(len(data)).split(self.cfg.batch)]
            print(f"epoch {epoch}: -elbo {sum(losses) / len(losses):.2f}")

    @torch.no_grad()
    def pixel_error(self, data):
        self.model.eval()
        logits, _, _ = self.model(data)
        return ((logits > 0) != (data > 0.5)).float().mean().item()


if __name__ == "__main__":
    cfg = Config()
    torch.manual_seed(cfg.seed)
    drawings = glyphs(2000)
    trainer = VAETrainer(cfg, GlyphVAE(cfg.latent))
    trainer.fit(drawings[:1600])
    print(f"result: {trainer.pixel_error(drawings[1600:]):.4f}")
