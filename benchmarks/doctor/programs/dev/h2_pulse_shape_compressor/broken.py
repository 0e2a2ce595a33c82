# A variational autoencoder for pulses of 100 points
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(55)


def draw_pulses(n):
    t = torch.linspace(-1, 1, 100)
    centre = 1.2 * (torch.rand(n, 1) - 0.5)
    width = 0.08 + 0.25 * torch.rand(n, 1)
    height = 0.4 + 0.6 * torch.rand(n, 1)
    return height * torch.exp(-((t - centre) / width) ** 2) + 0.02 * torch.randn(n, 100)


class VAE(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU())
        self.mean, self.logvar = nn.Linear(100, latent), nn.Linear(100, latent)
        self.decode = nn.Sequential(nn.Linear(latent, 100), nn.ReLU(), nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 100))

    def forward(self, x):
        h = self.encode(x)
        mean, logvar = self.mean(h), self.logvar(h)
        z = mean
        if self.training:
            z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decode(z), mean, logvar


pulses_known, held_out = draw_pulses(2500), draw_pulses(600)
vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)

for epoch in range(12):
    vae.train()
    train_loss = 0.0
    for rows in torch.randperm(len(pulses_known)).split(50):
        pulses = pulses_known[rows]
        optimizer.zero_grad()
        restored, mean, logvar = vae(pulses)
        fit = F.mse_loss(restored, pulses, reduction="sum") / len(rows)
        kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum() / len(rows)
        loss = fit + 0.02 * kl
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(rows)
    print("====> Epoch: {} Average loss: {:.6f}".format(epoch, train_loss / len(pulses_known)))

vae.eval()
rest, spread = 0.0, (held_out - held_out.mean(dim=0)).pow(2).sum().item()
for start in range(0, len(held_out), 50):
    pulses = held_out[start:start + 50]
    restored, _, _ = vae(pulses)
    rest += (restored - pulses).pow(2).sum().item()
print("result: %.4f" % (1 - rest / spread))
