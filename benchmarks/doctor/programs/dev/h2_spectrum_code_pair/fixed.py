"""Compress noisy spectra to a short code and rebuild them."""
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def spectra(n, seed):
    g = torch.Generator().manual_seed(seed)
    grid = torch.linspace(0, 1, 96)
    centre = torch.rand(n, 2, 1, generator=g)
    width = 0.04 + 0.08 * torch.rand(n, 2, 1, generator=g)
    height = 0.5 + torch.rand(n, 2, 1, generator=g)
    bumps = height * torch.exp(-((grid - centre) / width) ** 2)
    return bumps.sum(1) + 0.02 * torch.randn(n, 96, generator=g)


class Compressor:
    def __init__(self, width=96, code=8, lr=2e-3):
        self.encoder = nn.Sequential(nn.Linear(width, 160), nn.GELU(), nn.Linear(160, code))
        self.decoder = nn.Sequential(nn.Linear(code, 160), nn.GELU(), nn.Linear(160, width))
        self.enc_optim = torch.optim.Adam(self.encoder.parameters(), lr=lr)
        self.dec_optim = torch.optim.Adam(self.decoder.parameters(), lr=lr)
        self.objective = nn.MSELoss()

    def rebuild(self, batch):
        return self.decoder(self.encoder(batch))

    def learn(self, batch):
        self.enc_optim.zero_grad()
        self.dec_optim.zero_grad()
        loss = self.objective(self.rebuild(batch), batch)
        loss.backward()
        self.enc_optim.step()
        self.dec_optim.step()
        return float(loss.detach())

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            values = [self.learn(batch) for (batch,) in loader]
            print(f"[{epoch:02d}] loss={sum(values) / len(values):.6f}")
        return self

    @torch.no_grad()
    def explained(self, data):
        error = (self.rebuild(data) - data).pow(2).sum()
        spread = (data - data.mean(0)).pow(2).sum()
        return 1.0 - (error / spread).item()


torch.manual_seed(5)
train_set, test_set = spectra(2400, 1), spectra(600, 2)
loader = DataLoader(TensorDataset(train_set), batch_size=60, shuffle=True)
machine = Compressor().fit(loader, epochs=16)
score = machine.explained(test_set)
assert math.isfinite(score)
print(f"result: {score:.4f}")
