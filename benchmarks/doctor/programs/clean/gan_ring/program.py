import math
import torch
import torch.nn as nn

torch.manual_seed(4)


def real_batch(size):
    angle = torch.rand(size, 1) * 2 * math.pi
    radius = 1.0 + 0.15 * torch.randn(size, 1)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)


G = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
D = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
opt_g = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.9))
opt_d = torch.optim.Adam(D.parameters(), lr=4e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

for epoch in range(9):
    d_total = g_total = 0.0
    for _ in range(90):
        real = real_batch(64)
        fake = G(torch.randn(64, 4))

        opt_d.zero_grad()
        d_loss = bce(D(real), ones) + bce(D(fake.detach()), zeros)
        d_loss.backward()
        opt_d.step()

        opt_g.zero_grad()
        g_loss = bce(D(fake), ones)
        g_loss.backward()
        opt_g.step()
        d_total += d_loss.item()
        g_total += g_loss.item()
    print(f"epoch {epoch} D {d_total / 90:.6f} G {g_total / 90:.6f}")

with torch.no_grad():
    samples = G(torch.randn(1000, 4))
near = ((samples.norm(dim=1) - 1).abs() < 0.3).float().mean().item()
print(f"result: {near:.4f}")
