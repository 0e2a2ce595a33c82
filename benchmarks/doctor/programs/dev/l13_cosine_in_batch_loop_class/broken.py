import math

import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 12, 7, padding=3), nn.ReLU(), nn.Conv1d(12, 12, 7, padding=3), nn.ReLU(),
            nn.Conv1d(12, 1, 7, padding=3),
        )

    def forward(self, x):
        return self.layers(x)


class Study:
    """Clean waves from noisy ones."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.net = Denoiser()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=5e-3)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=epochs)
        self.clean, self.noisy = self.waves(800)
        self.test_clean, self.test_noisy = self.waves(200)

    def waves(self, n):
        t = torch.linspace(0, 2 * math.pi, 48)
        clean = torch.sin(t * (1 + 2 * torch.rand(n, 1)) + 6 * torch.rand(n, 1))[:, None]
        return clean, clean + 0.7 * torch.randn_like(clean)

    def train(self):
        for epoch in range(self.epochs):
            self.net.train()
            total = 0.0
            for rows in torch.randperm(800).split(40):
                self.opt.zero_grad(set_to_none=True)
                loss = (self.net(self.noisy[rows]) - self.clean[rows]).abs().mean()
                loss.backward()
                self.opt.step()
                self.schedule.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch} loss {total / 800:.6f}")

    def test(self):
        self.net.eval()
        with torch.no_grad():
            left = (self.net(self.test_noisy) - self.test_clean).pow(2).mean()
        return 1 - left.item() / self.test_clean.var(unbiased=False).item()


torch.manual_seed(66)
study = Study(epochs=5)
study.train()
print(f"result: {study.test():.4f}")
