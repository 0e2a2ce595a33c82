import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
SIDE = 12


def make_bars(n):
    """Grey pictures with one soft bar each, at a random place and angle, values in 0..1."""
    grid = torch.linspace(-1, 1, SIDE)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    angle = torch.rand(n, 1, 1) * 3.1416
    shift = torch.rand(n, 1, 1) - 0.5
    away = xx * torch.cos(angle) + yy * torch.sin(angle) - shift
    return torch.exp(-(away / 0.25) ** 2).reshape(n, -1)


class VAE(nn.Module):
    def __init__(self, pixels, code=6):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU())
        self.mu = nn.Linear(128, code)
        self.logvar = nn.Linear(128, code)
        self.dec = nn.Sequential(nn.Linear(code, 128), nn.ReLU(), nn.Linear(128, pixels))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar) if self.training else mu
        return self.dec(z), mu, logvar


def elbo(logits, x, mu, logvar):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1).mean()
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1).mean()
    return rec + kl


train_x, test_x = make_bars(2000), make_bars(400)
loader = DataLoader(TensorDataset(train_x), batch_size=64, shuffle=True)
vae = VAE(SIDE * SIDE)
optim = torch.optim.Adam(vae.parameters(), lr=2e-3)

for epoch in range(8):
    vae.train()
    running, n = 0.0, 0
    for (x,) in loader:
        logits, mu, logvar = vae(x)
        loss = elbo(logits, x, mu, logvar)
        optim.zero_grad()
        loss.backward(retain_graph=True)
        optim.step()
        running += loss.item() * len(x)
        n += len(x)
    print(f"epoch {epoch} -elbo {running / n:.3f}")

vae.eval()
with torch.no_grad():
    error = F.mse_loss(torch.sigmoid(vae(test_x)[0]), test_x).item()
print(f"test reconstruction error: {error:.5f}")
