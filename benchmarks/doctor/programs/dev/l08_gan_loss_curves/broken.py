import math

import torch
import torch.nn as nn

# A GAN on eight Gaussians in a ring, after the usual blog example.

LATENT = 4
SPREAD = 0.12


def real_points(n):
    angle = torch.randint(0, 8, (n,)) * (2 * math.pi / 8)
    centre = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1) * 1.4
    return centre + SPREAD * torch.randn(n, 2)


def mlp(i, o):
    return nn.Sequential(
        nn.Linear(i, 64), nn.LeakyReLU(0.2),
        nn.Linear(64, 64), nn.LeakyReLU(0.2),
        nn.Linear(64, o),
    )


def discriminator_step(G, D, opt_d, bce, n):
    fake = G(torch.randn(n, LATENT)).detach()
    loss = bce(D(real_points(n)), torch.ones(n, 1)) + bce(D(fake), torch.zeros(n, 1))
    opt_d.zero_grad()
    loss.backward()
    opt_d.step()
    return loss


def generator_step(G, D, opt_g, bce, n):
    loss = bce(D(G(torch.randn(n, LATENT))), torch.ones(n, 1))
    opt_g.zero_grad()
    loss.backward()
    opt_g.step()
    return loss


def train(steps=700, n=64):
    G, D = mlp(LATENT, 2), mlp(2, 1)
    opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.99))
    opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.99))
    bce = nn.BCEWithLogitsLoss()
    d_curve, g_curve = [], []
    for step in range(1, steps + 1):
        d_loss = discriminator_step(G, D, opt_d, bce, n)
        g_loss = generator_step(G, D, opt_g, bce, n)
        d_curve.append(d_loss)
        g_curve.append(g_loss)
        if step % 100 == 0:
            print(f"step {step:4d}  D {sum(d_curve[-100:]) / 100:.3f}  G {sum(g_curve[-100:]) / 100:.3f}")
    return G


def main():
    torch.manual_seed(8)
    G = train()
    with torch.no_grad():
        points = G(torch.randn(2000, LATENT))
    angles = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([torch.cos(angles), torch.sin(angles)], dim=1) * 1.4
    near = torch.cdist(points, centres).min(dim=1).values < 4 * SPREAD
    print(f"result: {near.float().mean():.4f}")


main()
