import math

import torch
from torch import nn

torch.manual_seed(21)

# A tiny GAN: learn the joint law of (wind speed, turbine output), both in standard units.


def real_samples(n):
    wind = torch.randn(n) * 0.6 + 0.8
    power = torch.tanh(1.5 * wind) + 0.15 * torch.randn(n)
    return torch.stack([wind, power], dim=1)


def mlp(n_in, n_out, hidden=48):
    return nn.Sequential(
        nn.Linear(n_in, hidden), nn.LeakyReLU(0.2),
        nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
        nn.Linear(hidden, n_out),
    )


class TurbineGAN:
    latent = 4

    def __init__(self):
        self.gen = mlp(self.latent, 2)
        self.critic = mlp(2, 1)
        self.g_opt = torch.optim.Adam(self.gen.parameters(), lr=1e-3, betas=(0.5, 0.9))
        self.c_opt = torch.optim.Adam(self.critic.parameters(), lr=2e-3, betas=(0.5, 0.9))
        self.bce = nn.BCEWithLogitsLoss()

    def sample(self, n):
        return self.gen(torch.randn(n, self.latent))

    def critic_round(self, real):
        fake = self.sample(len(real)).detach()
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        loss = self.bce(self.critic(real), ones) + self.bce(self.critic(fake), zeros)
        loss.backward()
        self.c_opt.zero_grad()
        self.c_opt.step()
        return loss.item()

    def generator_round(self, n):
        self.g_opt.zero_grad()
        loss = self.bce(self.critic(self.sample(n)), torch.ones(n, 1))
        loss.backward()
        self.g_opt.step()
        return loss.item()

    def train(self, rounds, batch=128):
        for r in range(1, rounds + 1):
            c = self.critic_round(real_samples(batch))
            g = self.generator_round(batch)
            if r % 100 == 0:
                print(f"round {r}: critic {c:.4f} generator {g:.4f}")

    @torch.no_grad()
    def distance(self, n=4000):
        fake, real = self.sample(n), real_samples(n)
        gap = 0.0
        for k in range(12):
            angle = math.pi * k / 12
            way = torch.tensor([math.cos(angle), math.sin(angle)])
            gap += ((fake @ way).sort()[0] - (real @ way).sort()[0]).abs().mean().item()
        return gap / 12


gan = TurbineGAN()
gan.train(600)
print(f"sliced distance: {gan.distance():.4f}")
