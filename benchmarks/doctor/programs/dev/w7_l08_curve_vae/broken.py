import math

import torch
from torch import nn


def curves(count, points=64):
    t = torch.linspace(0, 1, points)
    amp = 0.5 + torch.rand(count, 1)
    shift = torch.rand(count, 1) * 2 * math.pi
    slope = torch.randn(count, 1)
    return amp * torch.sin(2 * math.pi * 2 * t + shift) + slope * (t - 0.5) + 0.05 * torch.randn(count, points)


class CurveVAE(nn.Module):
    def __init__(self, points=64, hidden=192, latent=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(points, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU())
        self.to_mu = nn.Linear(hidden, latent)
        self.to_logvar = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(),
                                     nn.Linear(hidden, points))

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.to_mu(h), self.to_logvar(h)
        z = mu
        if self.training:
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


class Meter:
    def __init__(self, decay=0.97):
        self.decay, self.value = decay, None

    def update(self, new):
        self.value = new if self.value is None else self.decay * self.value + (1 - self.decay) * new


class Session:
    def __init__(self, beta=0.02, batch=100):
        self.train_x, self.test_x = curves(3000), curves(500)
        self.mean, self.std = self.train_x.mean(), self.train_x.std()
        self.vae = CurveVAE()
        self.opt = torch.optim.Adam(self.vae.parameters(), lr=1e-3)
        self.beta, self.batch = beta, batch
        self.meters = {"total": Meter(), "shape": Meter(), "kl": Meter()}

    def step(self, x):
        out, mu, logvar = self.vae(x)
        shape = (out - x).pow(2).sum(1).mean() / x.shape[1]
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
        total = shape + self.beta * kl
        self.opt.zero_grad()
        total.backward()
        self.opt.step()
        for name, part in (("total", total), ("shape", shape), ("kl", kl)):
            self.meters[name].update(part)

    def fit(self, epochs=18):
        data = (self.train_x - self.mean) / self.std
        for epoch in range(epochs):
            self.vae.train()
            for pick in torch.randperm(len(data)).split(self.batch):
                self.step(data[pick])
            print(epoch, "  ".join(f"{k} {m.value:.3f}" for k, m in self.meters.items()))

    @torch.no_grad()
    def test(self):
        self.vae.eval()
        x = (self.test_x - self.mean) / self.std
        return (self.vae(x)[0] - x).pow(2).mean().item()


torch.manual_seed(31)
session = Session()
session.fit()
print(f"result: {session.test():.4f}")
